//! vMotion of a VM with vGPUs: how long its memory is copied while it runs, how long it stands still, and
//! how long that may be expected to be at most.
//!
//! ```text
//!  |  guest memory, while the VM runs  |  stun: the rest, and the used frame buffer  |  it goes on there
//!            t_pre = m / B / (1 - d/B)      t_stun = t0 + u' / B_fb                        the source is free
//! ```
//! `m` guest memory, `d` what the VM changes of it per second, `B` the network, `u'` what of the used frame
//! buffer is copied in the stun, `B_fb` the lesser of the network and of what the version copies of it per
//! second. Standing and source of every number are in its file in `configs/vmotion`.

use crate::spec::Vmotion;
use crate::units::{Bandwidth, Bytes, SimDuration};

/// The network at which worst cases were published.
pub const PUBLISHED_NETWORK: f64 = 10e9 / 8.0;

/// A VM that is to be moved.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Moved {
    /// Its memory.
    pub memory: Bytes,
    /// What it changes of that per second.
    pub dirty_rate: Bandwidth,
    /// The frame buffer that it uses, of all its vGPUs.
    pub used: Bytes,
    /// The frame buffer of all its vGPUs.
    pub profile: Bytes,
}

/// How long its memory is copied while it runs; nothing where it changes it faster than the network copies.
pub fn pre_copy(moved: &Moved, network: Bandwidth) -> Option<SimDuration> {
    let left = 1.0 - moved.dirty_rate.get() / network.get();
    (left > 0.0).then(|| {
        let copy = moved.memory.get() as f64 / network.get();
        SimDuration::from_secs_f64((copy / left).min(1e9))
    })
}

/// How long it stands still.
pub fn stun(version: &Vmotion, moved: &Moved, network: Bandwidth) -> SimDuration {
    let copied = moved.used.get() as f64 * version.stunned_share.value.get();
    let rate = version.frame_buffer_rate.value.get().min(network.get());
    version.stun_base.value + SimDuration::from_secs_f64((copied / rate).min(1e9))
}

/// How long it is expected to stand still at most. Published at 10 Gb/s; at other networks, and for profiles
/// above 32 GB, the terms are extrapolated: those of the copies go with the bandwidth that the version makes
/// use of.
pub fn worst_stun(version: &Vmotion, moved: &Moved, network: Bandwidth) -> SimDuration {
    // Profiles and memory are named in binary gigabytes: 32 GB of a V100-32Q are 32 GiB.
    let gigabytes = |bytes: Bytes| bytes.get() as f64 / f64::from(1 << 30);
    let used = |network: f64| version.frame_buffer_rate.value.get().min(network);
    let slower = used(PUBLISHED_NETWORK) / used(network.get());
    let worst = &version.worst.value;
    let of_profile =
        worst.per_profile_gb * version.stunned_share.value.get() * gigabytes(moved.profile);
    let copies = of_profile + worst.per_memory_gb * gigabytes(moved.memory);
    SimDuration::from_secs_f64((worst.base + copies * slower).min(1e9))
}

/// Whether the worst case of a profile is extrapolated: none above 32 GB is published.
pub fn is_extrapolated(moved: &Moved) -> bool {
    moved.profile.get() > 32 << 30
}

/// Why its stun is over the limit: a clause; nothing where it is not.
pub fn over_the_limit(version: &Vmotion, moved: &Moved, network: Bandwidth) -> Option<String> {
    let limit = version.stun_limit.value;
    let told = |span: SimDuration| {
        format!("{} s, over the limit of {} s", in_seconds(span), in_seconds(limit))
    };
    let worst = worst_stun(version, moved, network);
    if version.checks_estimate && worst > limit {
        let how = if is_extrapolated(moved) { " (extrapolated: none is published)" } else { "" };
        return Some(format!("its stun is estimated at up to {}{how}", told(worst)));
    }
    let stun = stun(version, moved, network);
    (stun > limit).then(|| format!("its stun would take {}", told(stun)))
}

/// A span in seconds, with as many digits as are worth telling.
pub fn in_seconds(span: SimDuration) -> String {
    let seconds = span.as_secs_f64();
    match seconds {
        100.0.. => format!("{seconds:.0}"),
        10.0.. => format!("{seconds:.1}"),
        _ => format!("{seconds:.2}"),
    }
}
