//! Both loads in simcore, the engine of DSLab, as its documentation writes models:
//! <https://docs.rs/simcore>. Two components with callbacks, which it says are quicker than its
//! async mode; where an answer is not awaited the source calls the server directly ("Programming
//! Interfaces").

use peers::{Arguments, Statistics};
use rand_distr::Exp;
use serde::Serialize;
use simcore::{Event, EventHandler, Simulation, SimulationContext, cast};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

#[derive(Clone, Serialize)]
struct Arrival {}

#[derive(Clone, Serialize)]
struct Done {}

struct Source {
    queries: u64,
    gap: Exp<f64>,
    server: Rc<RefCell<Server>>,
    ctx: SimulationContext,
}

impl Source {
    fn schedule_next(&mut self) {
        if self.queries > 0 {
            self.queries -= 1;
            let gap = self.ctx.sample_from_distribution(&self.gap);
            self.ctx.emit_self(Arrival {}, gap);
        }
    }
}

impl EventHandler for Source {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Arrival {} => {
                self.server.borrow_mut().arrive();
                self.schedule_next();
            }
        })
    }
}

struct Server {
    arguments: Arguments,
    waiting: VecDeque<f64>,
    batch: Vec<f64>,
    statistics: Statistics,
    ctx: SimulationContext,
}

impl Server {
    fn arrive(&mut self) {
        self.waiting.push_back(self.ctx.time());
        self.start_if_free();
    }

    fn on_done(&mut self) {
        let now = self.ctx.time();
        for due in self.batch.drain(..) {
            self.statistics.record(now - due);
        }
        self.start_if_free();
    }

    fn start_if_free(&mut self) {
        if self.batch.is_empty() && !self.waiting.is_empty() {
            let taken = self.waiting.len().min(self.arguments.batch_max);
            self.batch.extend(self.waiting.drain(..taken));
            self.statistics.count_batch();
            self.ctx.emit_self(Done {}, self.arguments.service(taken));
        }
    }
}

impl EventHandler for Server {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Done {} => {
                self.on_done();
            }
        })
    }
}

fn main() {
    let arguments = Arguments::read();
    let mut simulation = Simulation::new(arguments.seed);
    let server = Rc::new(RefCell::new(Server {
        arguments,
        waiting: VecDeque::new(),
        batch: Vec::new(),
        statistics: Statistics::default(),
        ctx: simulation.create_context("server"),
    }));
    simulation.add_handler("server", server.clone());
    let source = Rc::new(RefCell::new(Source {
        queries: arguments.queries,
        gap: Exp::new(arguments.rate).expect("a rate above 0"),
        server: server.clone(),
        ctx: simulation.create_context("source"),
    }));
    simulation.add_handler("source", source.clone());
    source.borrow_mut().schedule_next();
    simulation.step_until_no_events();
    server.borrow().statistics.print();
}
