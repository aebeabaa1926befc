//! The least a program can do: no events. Each batch starts when the server is free and its first
//! query is there, and takes what has come by then. With batches of one this is Lindley's recursion.

use peers::{Arguments, Statistics};
use rand::SeedableRng;
use rand_distr::{Distribution, Exp};
use rand_pcg::Pcg64;

fn main() {
    let arguments = Arguments::read();
    let gap = Exp::new(arguments.rate).expect("a rate above 0");
    let mut random = Pcg64::seed_from_u64(arguments.seed);
    let mut statistics = Statistics::default();
    let mut batch = Vec::with_capacity(arguments.batch_max);
    let (mut free, mut drawn) = (0.0_f64, 1);
    let mut next = Some(gap.sample(&mut random));
    while let Some(first) = next {
        let start = first.max(free);
        while let Some(due) = next.filter(|&due| due <= start && batch.len() < arguments.batch_max)
        {
            batch.push(due);
            next = (drawn < arguments.queries).then(|| {
                drawn += 1;
                due + gap.sample(&mut random)
            });
        }
        free = start + arguments.service(batch.len());
        statistics.count_batch();
        for due in batch.drain(..) {
            statistics.record(free - due);
        }
    }
    statistics.print();
}
