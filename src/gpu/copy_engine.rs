//! `CopyEngine`: one direction of a card's PCIe link, shared fairly by all copies on it.
//!
//! Published: 25.2 GB/s for one VM alone, 6.3 GB/s each for four (Colfax Research, A30). It has no
//! priorities, and no limit on the number of copies in progress.

use crate::queueing::{ProcessorSharing, Station};
use crate::units::{Bandwidth, Bytes, SimTime};

/// One direction of a link. A job is a tag and the bytes to move.
#[derive(Debug)]
pub struct CopyEngine<T> {
    bandwidth: Bandwidth,
    link: ProcessorSharing<T>,
}

impl<T> CopyEngine<T> {
    /// An idle link.
    pub fn new(bandwidth: Bandwidth) -> Self {
        Self { bandwidth, link: ProcessorSharing::new(1) }
    }
}

impl<T> Station for CopyEngine<T> {
    type Job = (T, Bytes);
    type Done = T;

    fn submit(&mut self, now: SimTime, (tag, bytes): Self::Job) {
        self.link.submit(now, (tag, self.bandwidth.transfer_time(bytes)));
    }

    fn next_change(&self) -> Option<SimTime> {
        self.link.next_change()
    }

    fn advance(&mut self, now: SimTime, done: &mut Vec<T>) {
        self.link.advance(now, done);
    }
}
