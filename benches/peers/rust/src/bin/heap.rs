//! A plain event loop: the next arrival and the end of the running batch in the standard library's
//! binary heap, the rest by hand.

use peers::{Arguments, Statistics};
use rand::SeedableRng;
use rand_distr::{Distribution, Exp};
use rand_pcg::Pcg64;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Done,
    Arrival,
}

struct Server {
    arguments: Arguments,
    /// Time in ns, order of scheduling, what happens.
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    scheduled: u64,
    waiting: VecDeque<u64>,
    batch: Vec<u64>,
    statistics: Statistics,
}

impl Server {
    fn schedule(&mut self, at: u64, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((at, self.scheduled, event)));
    }

    fn start_if_free(&mut self, now: u64) {
        if self.batch.is_empty() && !self.waiting.is_empty() {
            let taken = self.waiting.len().min(self.arguments.batch_max);
            self.batch.extend(self.waiting.drain(..taken));
            self.statistics.count_batch();
            self.schedule(now + (self.arguments.service(taken) * 1e9) as u64, Event::Done);
        }
    }
}

fn main() {
    let arguments = Arguments::read();
    let gap = Exp::new(arguments.rate).expect("a rate above 0");
    let mut random = Pcg64::seed_from_u64(arguments.seed);
    let mut draw = || (gap.sample(&mut random) * 1e9) as u64;
    let mut server = Server {
        arguments,
        events: BinaryHeap::new(),
        scheduled: 0,
        waiting: VecDeque::new(),
        batch: Vec::new(),
        statistics: Statistics::default(),
    };
    let mut arrived = 0;
    server.schedule(draw(), Event::Arrival);
    while let Some(Reverse((now, _, event))) = server.events.pop() {
        match event {
            Event::Arrival => {
                server.waiting.push_back(now);
                arrived += 1;
                if arrived < arguments.queries {
                    server.schedule(now + draw(), Event::Arrival);
                }
            }
            Event::Done => {
                for due in server.batch.drain(..) {
                    server.statistics.record_ns(now - due);
                }
            }
        }
        server.start_if_free(now);
    }
    server.statistics.print();
}
