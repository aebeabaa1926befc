//! Both loads in NeXosim, as its documentation writes models: <https://docs.rs/nexosim>. Two models
//! that schedule their own events, an output port from the source to the server, and one from the
//! server to a sink. On one thread: by default it takes all cores, for models that work at the same
//! time; here at most one ever does.

use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventSinkWriter, Output};
use nexosim::simulation::{Mailbox, SimInit, SimulationError};
use nexosim::time::MonotonicTime;
use peers::{Arguments, Statistics};
use rand::SeedableRng;
use rand_distr::{Distribution, Exp};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Source {
    query: Output<()>,
    rate: f64,
    queries: u64,
    random: Pcg64,
}

#[Model]
impl Source {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        self.schedule_next(cx);
    }

    #[nexosim(schedulable)]
    async fn arrive(&mut self, _: (), cx: &Context<Self>) {
        self.query.send(()).await;
        self.schedule_next(cx);
    }

    fn schedule_next(&mut self, cx: &Context<Self>) {
        if self.queries > 0 {
            self.queries -= 1;
            let gap = Exp::new(self.rate).expect("a rate above 0").sample(&mut self.random);
            // It takes no delay of zero, which a gap below a nanosecond would be.
            let gap = Duration::from_secs_f64(gap).max(Duration::from_nanos(1));
            cx.schedule_event(gap, schedulable!(Self::arrive), ()).expect("a time to come");
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Server {
    /// When each query of a batch came.
    answered: Output<Answered>,
    batch_max: usize,
    fixed: f64,
    each: f64,
    waiting: VecDeque<MonotonicTime>,
    batch: Vec<MonotonicTime>,
}

#[Model]
impl Server {
    pub async fn arrive(&mut self, _: (), cx: &Context<Self>) {
        self.waiting.push_back(cx.time());
        self.start_if_free(cx);
    }

    #[nexosim(schedulable)]
    async fn done(&mut self, _: (), cx: &Context<Self>) {
        let now = cx.time();
        let mut first = true;
        for due in self.batch.drain(..) {
            let sojourn = now.duration_since(due);
            self.answered.send(Answered { sojourn, first }).await;
            first = false;
        }
        self.start_if_free(cx);
    }

    fn start_if_free(&mut self, cx: &Context<Self>) {
        if self.batch.is_empty() && !self.waiting.is_empty() {
            let taken = self.waiting.len().min(self.batch_max);
            self.batch.extend(self.waiting.drain(..taken));
            let service = Duration::from_secs_f64(self.fixed + self.each * taken as f64);
            cx.schedule_event(service, schedulable!(Self::done), ()).expect("a time to come");
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Answered {
    sojourn: Duration,
    /// Whether it is the first of its batch.
    first: bool,
}

/// What the server's output is written to.
#[derive(Clone)]
struct Sink(Arc<Mutex<Statistics>>);

impl EventSinkWriter<Answered> for Sink {
    fn write(&self, answered: Answered) {
        let mut statistics = self.0.lock().expect("nobody panicked with it");
        statistics.record_ns(answered.sojourn.as_nanos() as u64);
        if answered.first {
            statistics.count_batch();
        }
    }
}

fn main() -> Result<(), SimulationError> {
    let arguments = Arguments::read();
    let mut source = Source {
        query: Output::default(),
        rate: arguments.rate,
        queries: arguments.queries,
        random: Pcg64::seed_from_u64(arguments.seed),
    };
    let mut server = Server {
        answered: Output::default(),
        batch_max: arguments.batch_max,
        fixed: arguments.fixed,
        each: arguments.each,
        waiting: VecDeque::new(),
        batch: Vec::new(),
    };
    let (source_mailbox, server_mailbox) = (Mailbox::new(), Mailbox::new());
    source.query.connect(Server::arrive, &server_mailbox);
    let statistics = Arc::new(Mutex::new(Statistics::default()));
    server.answered.connect_sink(Sink(statistics.clone()));
    let mut simulation = SimInit::with_num_threads(1)
        .add_model(source, source_mailbox, "source")
        .add_model(server, server_mailbox, "server")
        .init(MonotonicTime::EPOCH)?;
    simulation.run()?;
    statistics.lock().expect("nobody panicked with it").print();
    Ok(())
}
