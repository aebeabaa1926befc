//! `[sweep]`: a file whose keys vary. What varies ([`table`]), the file once for each point ([`points`]),
//! all points checked ([`mod@file`]), and the file with another number of VMs ([`counts`]).

pub(super) mod axis;
pub(super) mod counts;
pub(super) mod exclusion;
pub(super) mod file;
pub(super) mod points;
pub(super) mod table;
