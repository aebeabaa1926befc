//! Steps of several engines at once: clients of MPS on one GPU.
//!
//! With limits each client has its SMs. The bandwidth is divided max-min fairly by what each draws, and several
//! clients together draw more than one, since one fills the gaps of another. The power limit is the card's:
//! what the steps of others take of it in the meantime is not there for one's own.
//!
//! Without limits, decodes beside decodes and prompts beside prompts divide the SMs; a decode beside prompts
//! waits, kernel by kernel, for half a kernel of theirs: its step takes half of the prompts' step longer. That
//! is rough: 31.6 ms where 29.5 were measured, and 13.2 where 16.8 were.
//!
//! slicewise measurement, H200, driver 580.159, 2026-11-26: medians of ten mixtures of two with half the SMs
//! each within 5.3 % (root mean square), of four with a quarter each within 4.2 %.

use super::{StepLaw, StepParts, StepShare, norm};

/// How what a client can draw joins with its part of what all draw together, measured.
const FAIR: f64 = 8.0;
/// Rounds in which times and what is drawn settle; each divides what is left by two or more.
const ROUNDS: usize = 40;

/// A client with a step under way.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// Its engine's law.
    pub law: &'a StepLaw,
    /// Its step.
    pub parts: &'a StepParts,
    /// The part of the GPU's SMs that it is limited to; nothing without a limit.
    pub limit: Option<f64>,
}

/// How long the step of each takes while all of them run, in seconds.
pub fn together(clients: &[Beside<'_>]) -> Vec<f64> {
    let count = clients.len();
    let alike = |one: &Beside<'_>| {
        let of_kind = |other: &&Beside<'_>| {
            other.limit.is_none() && other.parts.has_prompts == one.parts.has_prompts
        };
        clients.iter().filter(of_kind).count() as f64
    };
    let (_, whole) = clients[0].law.part;
    let (sms, _) = clients[0].law.part;
    // Alone the card rests now and then; among several it does not.
    let counts = |law: &StepLaw| if count == 1 { law.power_in_server } else { 1.0 };
    let of = |one: &Beside<'_>, bandwidth: f64, of_others: f64| {
        let sms = one.limit.unwrap_or_else(|| sms / alike(one));
        let power = (counts(one.law), of_others);
        one.law.seconds(one.parts, &StepShare { sms, bandwidth, is_mps: true, power })
    };
    let alone: Vec<f64> = clients.iter().map(|one| of(one, whole, 0.0)).collect();
    let mut times = alone.clone();
    if count == 1 {
        return times;
    }
    let most = clients[0].law.weights[0] * whole;
    let all = most * clients[0].law.drawn_by(count);
    // What each would draw if nobody else did.
    let draws = clients.iter().zip(&times);
    let draws: Vec<f64> =
        draws.map(|(one, time)| (one.parts.bytes + one.parts.kv_bytes) / time).collect();
    let bandwidth = |place: usize| {
        let fair = fair_share(all, &draws, place);
        whole / (most * norm(FAIR, 1.0 / most, 1.0 / fair))
    };
    let bandwidths: Vec<f64> = (0..count).map(bandwidth).collect();
    for _ in 0..ROUNDS {
        let powers: Vec<f64> = clients
            .iter()
            .zip(&times)
            .map(|(one, time)| one.law.power(one.parts, counts(one.law)) / time)
            .collect();
        let used: f64 = powers.iter().sum();
        let next: Vec<f64> = (0..count)
            .map(|place| {
                of(&clients[place], bandwidths[place], times[place] * (used - powers[place]))
            })
            .collect();
        let change = next.iter().zip(&times).map(|(next, time)| (next / time - 1.0).abs());
        let is_settled = change.fold(0.0, f64::max) < 1e-9;
        times = next;
        if is_settled {
            break;
        }
    }
    let unlimited = |one: &Beside<'_>| one.limit.is_none();
    let prompts =
        clients.iter().zip(&alone).filter(|(one, _)| unlimited(one) && one.parts.has_prompts);
    let wait: f64 = prompts.map(|(_, time)| time / 2.0).sum();
    for ((one, time), alone) in clients.iter().zip(&mut times).zip(alone) {
        if unlimited(one) && !one.parts.has_prompts && wait > 0.0 {
            *time = alone + wait;
        }
    }
    times
}

/// What one of several may draw of `all`, max-min fair by what each would draw alone: what the others leave;
/// where there is not enough for all, no more than it would draw, or an equal part of what smaller ones leave.
fn fair_share(all: f64, draws: &[f64], place: usize) -> f64 {
    let own = draws[place];
    let left = all - (draws.iter().sum::<f64>() - own);
    if left >= own {
        return left;
    }
    let mut sorted = draws.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut left = all;
    for (index, draw) in sorted.iter().enumerate() {
        let level = left / (sorted.len() - index) as f64;
        if *draw >= level {
            return own.min(level);
        }
        left -= draw;
    }
    own
}

impl StepLaw {
    /// What so many clients draw together, relative to what one draws at the most: measured for one, two and
    /// four, linear between, and no more beyond.
    fn drawn_by(&self, clients: usize) -> f64 {
        let [two, four] = self.together;
        match clients {
            1 => 1.0,
            2 => two,
            3 => (two + four) / 2.0,
            _ => four,
        }
    }
}
