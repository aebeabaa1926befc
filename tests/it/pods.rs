//! Pods in VMs: the turns of two levels against theory, against what a process has today, and against
//! a slow twin that takes every microsecond by itself.

use crate::documents::holds_sweep;
use crate::processes::busy_served;
use crate::shared_cards::{check_shares, experiment};
use crate::slicing::{hardware, slicing};
use rand::RngExt;
use slicewise::engine::RandomStreams;
use slicewise::gpu::{Card, CardJob, Client, Demand, Node, OwnerId, PoolJob};
use slicewise::platform::simulate;
use slicewise::queueing::Station;
use slicewise::spec::*;
use slicewise::units::{Share, SimDuration, SimTime};
use std::collections::VecDeque;

fn us(micros: u64) -> SimDuration {
    SimDuration::from_micros(micros)
}

/// A pod of a VM, whose launches are many.
fn pod(vm: u16, pods: PodSharing) -> Client {
    Client {
        sharing: GpuSharing::InOrder,
        limit: Share::WHOLE,
        launches: Launches::Kernels,
        watts: 0.0,
        node: Some(Node { vm, pods }),
    }
}

/// Time slicing with such a slice, and the same cost for every switch.
fn in_turns(slice: u64, switch: u64, cut: CutSlice) -> PodSharing {
    let switch = SwitchTimes::always(us(switch));
    let turns = HardwareTurns {
        slice: us(slice),
        renewal: us(slice),
        switch,
        of: TurnsOf::Process,
        ..hardware()
    };
    PodSharing::TimeSlicing { turns, cut }
}

fn equal_share(slice: u64, switch: u64) -> InstanceSharing {
    InstanceSharing::Vgpus(TimeSlicing {
        slice: us(slice),
        switch_cost: us(switch),
        ..slicing(SlicePolicy::EqualShare)
    })
}

/// A whole card that is shared so, with these owners.
fn card(sharing: InstanceSharing, owners: &[Client]) -> Card<usize> {
    Card::new(&[(InstanceSpec { sharing, ..InstanceSpec::whole() }, owners.to_vec())], None)
}

/// A job: when it comes, its owner, its work; in microseconds.
type Job = (u64, usize, u64);

/// When each job is done, in microseconds.
fn ends(mut card: Card<usize>, jobs: &[Job]) -> Vec<u64> {
    let mut ends = vec![0; jobs.len()];
    let (mut next, mut done) = (0, Vec::new());
    loop {
        let arrival = jobs.get(next).map(|job| SimTime::ZERO + us(job.0));
        match (card.next_change(), arrival) {
            (Some(change), arrival) if arrival.is_none_or(|arrival| change < arrival) => {
                card.advance(change, &mut done);
                done.drain(..).for_each(|job| ends[job] = (change.as_nanos() + 500) / 1000);
            }
            (_, Some(now)) => {
                let (_, slot, work) = jobs[next];
                let owner = OwnerId { instance: 0, slot: slot as u16 };
                let job = PoolJob { tag: next, demand: Demand::plain(us(work)) };
                card.submit(now, CardJob { owner, job });
                next += 1;
            }
            _ => return ends,
        }
    }
}

/// Parts of the card's time that each owner had while all had work, and what switches took.
fn parts(sharing: InstanceSharing, owners: &[Client]) -> (Vec<f64>, f64) {
    let mut card = card(sharing, owners);
    for slot in 0..owners.len() {
        let owner = OwnerId { instance: 0, slot: slot as u16 };
        let demand = Demand::plain(SimDuration::from_secs(100));
        card.submit(SimTime::ZERO, CardJob { owner, job: PoolJob { tag: slot, demand } });
    }
    let end = SimTime::ZERO + SimDuration::from_secs(10);
    let mut done = Vec::new();
    while let Some(change) = card.next_change().filter(|&change| change <= end) {
        card.advance(change, &mut done);
    }
    let time = card.time(end);
    (time.owners.iter().map(|(_, had)| had.run).collect(), time.switch)
}

/// Node A with two pods beside node B with one, all with work without end, under equal share with
/// slices T = 2 ms and switches c = 0.11 ms: each node has T / 2(T + c) = 0.47393 of the card. B's pod
/// has all of it. A's pods run for s = 1 ms and pass the GPU in d = 0.1 ms, so each has
/// s / 2(s + d) = 0.45455 of A's time, 0.21542 of the card; without costs 1/4, 1/4 and 1/2. A turn of
/// either level at the end of 10 s moves a part by at most 2 ms / 10 s = 0.0002.
#[test]
fn pods_divide_the_part_of_their_node() {
    let near = |found: &[f64], expected: &[f64]| {
        let are_near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-4);
        assert!(found.len() == expected.len() && are_near, "{found:?} instead of {expected:?}");
    };
    for cut in [CutSlice::Resumes, CutSlice::Ends] {
        let free = in_turns(1000, 0, cut);
        let (runs, switch) =
            parts(equal_share(2000, 0), &[pod(0, free), pod(0, free), pod(2, free)]);
        near(&runs, &[0.25, 0.25, 0.5]);
        assert_eq!(switch, 0.0);
    }
    let costly = in_turns(1000, 100, CutSlice::Resumes);
    let owners = [pod(0, costly), pod(0, costly), pod(2, costly)];
    let (runs, switch) = parts(equal_share(2000, 110), &owners);
    let node = 2.0 / 2.11 / 2.0;
    let of_a = node / 1.1 / 2.0;
    near(&runs, &[of_a, of_a, node]);
    // Between nodes c / (T + c), between A's pods d / (s + d) of A's part.
    near(&[switch], &[0.11 / 2.11 + node * 0.1 / 1.1]);
    // MPS passes nothing on: its pods have half of A's turns each, side by side.
    let mps = PodSharing::Mps(MpsSharing { graph_launch: us(0), is_partitioned: false });
    let (runs, switch) = parts(equal_share(2000, 110), &[pod(0, mps), pod(0, mps), pod(2, mps)]);
    near(&runs, &[node / 2.0, node / 2.0, node]);
    near(&[switch], &[0.11 / 2.11]);
    // Under best effort the ring's turns are the VMs', and the same holds.
    let outer = HardwareTurns { switch: SwitchTimes::always(us(110)), ..hardware() };
    let (runs, _) = parts(InstanceSharing::BestEffort(outer), &owners);
    near(&runs, &[of_a, of_a, node]);
}

/// With slices that end with the node's turns (`ends`), A's turns of 2 ms hold one slice of 1.5 ms and
/// what is left of the turn after a switch of 0.1 ms, 0.4 ms, which goes to the other pod and is cut.
/// The next turn begins with a switch to the first: 0.1 + 1.5 + 0.1 + 0.3. So from the second turn on the
/// first pod has 1.5 ms of each turn and the other 0.3: 0.75 and 0.15 of A's half. Where the rest of a
/// slice is kept both have 1.5 of 3.2 ms. That is why the rule is an option.
#[test]
fn who_is_cut_may_lose_his_turn() {
    let parts = |cut: CutSlice| {
        let pods = in_turns(1500, 100, cut);
        parts(equal_share(2000, 0), &[pod(0, pods), pod(0, pods), pod(2, pods)]).0
    };
    let near = |found: &[f64], expected: [f64; 3]| {
        let are_near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 3e-4);
        assert!(are_near, "{found:?} instead of {expected:?}");
    };
    near(&parts(CutSlice::Ends), [0.375, 0.075, 0.5]);
    near(&parts(CutSlice::Resumes), [0.5 * 1.5 / 3.2, 0.5 * 1.5 / 3.2, 0.5]);
}

/// Pods of a node, as the slow twin has them.
struct SlowNode {
    queues: Vec<VecDeque<(usize, u64)>>,
    holder: Option<usize>,
    /// Microseconds until the holder runs.
    passing: u64,
    /// Microseconds since its first slice began.
    age: u64,
    was_dry: bool,
}

impl SlowNode {
    fn others_wait(&self, holder: usize) -> bool {
        self.queues.iter().enumerate().any(|(pod, queue)| pod != holder && !queue.is_empty())
    }

    fn pass(&mut self, holder: usize, switch: u64) {
        let pods = self.queues.len();
        let next = (1..=pods).map(|step| (holder + step) % pods);
        self.holder = next.into_iter().find(|&pod| !self.queues[pod].is_empty());
        (self.passing, self.age, self.was_dry) = (switch, 0, false);
    }

    /// A job comes, in the node's turn or not: the GPU goes from a pod that is dry to the first that
    /// has work.
    fn come(&mut self, pod: usize, job: (usize, u64), switch: u64) {
        self.queues[pod].push_back(job);
        let holder = *self.holder.get_or_insert(pod);
        if self.was_dry && self.queues[holder].is_empty() {
            self.pass(holder, switch);
        }
    }

    /// What is decided with all that is known now.
    fn decide(&mut self, (slice, switch): (u64, u64)) {
        if self.passing > 0 {
            return;
        }
        let Some(holder) = self.holder else { return };
        let (works, others) = (!self.queues[holder].is_empty(), self.others_wait(holder));
        if works && std::mem::take(&mut self.was_dry) {
            self.age = 0;
        }
        let is_over = self.age > 0 && self.age.is_multiple_of(slice);
        if others && (!works || is_over) {
            self.pass(holder, switch);
        } else if !works {
            self.was_dry = true;
        }
    }

    /// A microsecond of the node's own time; the job that ended in it.
    fn tick(&mut self) -> Option<usize> {
        if self.passing > 0 {
            self.passing -= 1;
            return None;
        }
        let queue = &mut self.queues[self.holder?];
        let (job, left) = queue.front_mut()?;
        self.age += 1;
        *left -= 1;
        let job = *job;
        if *left > 0 {
            return None;
        }
        queue.pop_front();
        Some(job)
    }
}

/// When each job is done: nodes in turns of equal share whose idle turns are burned, microsecond by
/// microsecond. Owners are the pods of all nodes, counted through.
fn slow(
    pods: &[usize],
    (turn, pass): (u64, u64),
    (slice, switch, cut): (u64, u64, CutSlice),
    jobs: &[Job],
) -> Vec<u64> {
    let place = |owner: usize| {
        let mut first = 0;
        let node = pods.iter().position(|&count| {
            first += count;
            owner < first
        });
        (node.unwrap(), owner + pods[node.unwrap()] - first)
    };
    let node = |&count: &usize| SlowNode {
        queues: vec![VecDeque::new(); count],
        holder: None,
        passing: 0,
        age: 0,
        was_dry: false,
    };
    let mut nodes: Vec<SlowNode> = pods.iter().map(node).collect();
    let (mut ends, mut open, mut next) = (vec![0; jobs.len()], jobs.len(), 0);
    let round = (turn + pass) * pods.len() as u64;
    for now in 0.. {
        while let Some(&(_, owner, work)) = jobs.get(next).filter(|job| job.0 <= now) {
            let (node, pod) = place(owner);
            nodes[node].come(pod, (next, work), switch);
            next += 1;
        }
        let (node, within) = ((now % round / (turn + pass)) as usize, now % round % (turn + pass));
        // The node whose turn it is, or just was.
        if within <= turn {
            nodes[node].decide((slice, switch));
        }
        if within == turn && cut == CutSlice::Ends {
            let of = &mut nodes[node];
            if let Some(holder) = of.holder
                && of.passing == 0
                && of.age > 0
                && of.others_wait(holder)
            {
                of.pass(holder, switch);
            }
        }
        if within < turn
            && let Some(job) = nodes[node].tick()
        {
            ends[job] = now + 1;
            open -= 1;
        }
        if open == 0 {
            break;
        }
    }
    ends
}

/// Random nodes, pods, slices and jobs: every job is done at the same microsecond.
#[test]
fn two_levels_agree_with_the_slow_twin() {
    for seed in 0..300 {
        let mut chance = RandomStreams::new(seed, 0).stream("pods");
        let mut draw = |least: u64, most: u64| chance.random_range(least..=most);
        let nodes = draw(2, 3) as usize;
        let pods: Vec<usize> = (0..nodes).map(|_| draw(1, 3) as usize).collect();
        let (turn, pass) = (draw(40, 400), draw(1, 40));
        let (slice, switch) = (draw(40, 400), draw(1, 40));
        let cut = if draw(0, 1) == 0 { CutSlice::Resumes } else { CutSlice::Ends };
        let owners: usize = pods.iter().sum();
        let mut now = 0;
        let jobs = (0..60).map(|_| {
            now += draw(0, 400);
            (now, draw(0, owners as u64 - 1) as usize, draw(1, 700))
        });
        let jobs: Vec<Job> = jobs.collect();
        let sharing = in_turns(slice, switch, cut);
        let clients = pods.iter().enumerate();
        let clients = clients.flat_map(|(vm, &count)| vec![pod(vm as u16, sharing); count]);
        let clients: Vec<Client> = clients.collect();
        let fast = ends(card(equal_share(turn, pass), &clients), &jobs);
        let slow = slow(&pods, (turn, pass), (slice, switch, cut), &jobs);
        let first =
            (0..jobs.len()).filter(|&job| fast[job] != slow[job]).min_by_key(|&job| slow[job]);
        assert!(
            first.is_none(),
            "seed {seed}, job {first:?}: {:?} instead of {:?}; pods {pods:?}, turns {turn} + {pass}, \
             slices {slice} + {switch}, {cut:?}",
            first.map(|job| fast[job]),
            first.map(|job| slow[job]),
        );
    }
}

/// A VM with pods that always have work of 10 ms.
fn node(name: &str, has: &str, pods: &str, count: u32) -> String {
    let pod = busy_served("kernels").replace("[vm.", "[vm.pod.");
    format!(
        "\n[[vm]]\nname = \"{name}\"\nvcpus = 16\n{has}\npods = {pods}\n\n[[vm.pod]]\nname = \"web\"\ncount = {count}\n{pod}"
    )
}

const HALF: &str = "vgpu = { type = \"A100-20C\" }";
const FREE: &str = "{ sharing = \"time-slicing\", switch_cost = \"0 ms\" }";

/// From the file: A's two pods have a quarter each, B's one a half. With the catalogue's costs (switch of
/// vGPUs 0.11 ms; between processes slices of 1.024 ms of which 0.018 restore, 0.092 to pass) each of
/// A's has 1/4 x 2 / 2.11 x (1.024 - 0.018) / (1.024 + 0.092).
#[test]
fn a_file_with_pods_gives_their_parts() {
    let sharing = "[sharing]\npolicy = \"equal-share\"\nslice = \"2 ms\"\n";
    let free = format!("{sharing}switch_cost = \"0 ms\"\n");
    let both = |pods: &str| node("a", HALF, pods, 2) + &node("b", HALF, pods, 1);
    check_shares(&experiment(&(free.clone() + &both(FREE))), &[0.25, 0.25, 0.5]);
    check_shares(&experiment(&(free + &both("\"mps\""))), &[0.25, 0.25, 0.5]);
    let (nodes, pods) = (2.0 / 2.11, 1.006 / 1.116);
    let expected = [nodes * pods / 4.0, nodes * pods / 4.0, nodes / 2.0];
    check_shares(&experiment(&(sharing.to_string() + &both("\"time-slicing\""))), &expected);
    // Under best effort pods share the turns of their VM, or each has its own.
    let best = |turns: &str| {
        let text = format!("[sharing]\nswitch_cost = \"0 ms\"\nturns = \"{turns}\"\n");
        experiment(&(text + &both(FREE)))
    };
    check_shares(&best("vm"), &[0.25, 0.25, 0.5]);
    check_shares(&best("process"), &[1.0 / 3.0; 3]);
}

/// What a run tells, query by query, but for names.
fn told(text: &str) -> Vec<(u64, [Option<SimDuration>; 4])> {
    let experiment = experiment(text);
    let told = simulate(&experiment).vms.into_iter().map(|vm| {
        let all = vm.recorder.latencies();
        let at = |quantile: f64| all.quantile(quantile);
        (all.count(), [at(0.0), at(0.5), at(0.99), at(1.0)])
    });
    told.collect()
}

/// A node with one pod is a VM with one model, to the nanosecond: nothing is shared inside.
#[test]
fn one_pod_is_what_one_model_is() {
    for sharing in ["policy = \"equal-share\"", "policy = \"best-effort\""] {
        let pods = node("a", HALF, "\"time-slicing\"", 1) + &node("b", HALF, "\"time-slicing\"", 1);
        let pods = pods.replace("\ncount = 1\n", "\n");
        let models = pods.replace("pods = \"time-slicing\"\n", "").replace("vm.pod", "vm.model");
        let with = |vms: &str| told(&format!("[sharing]\n{sharing}\n{vms}"));
        assert_eq!(with(&pods), with(&models));
    }
}

/// Pods of a node that has a card to itself are processes on a card that is passed through.
#[test]
fn pods_of_a_node_alone_are_processes_on_its_card() {
    for way in ["time-slicing", "mps"] {
        let pods = node("a", "gpus = 1", &format!("\"{way}\""), 3);
        let process = |number: u32| {
            let served = busy_served("kernels");
            format!(
                "\n[[vm]]\nname = \"a/web-{number}\"\nvcpus = 16\nprocess = \"{way}\"\n{served}"
            )
        };
        let processes: String = (1..=3).map(process).collect();
        assert_eq!(told(&pods), told(&processes));
        // A vGPU that is the whole card takes no turns either.
        assert_eq!(
            told(&pods.replace("gpus = 1", "vgpu = { type = \"A100-40C\" }")),
            told(&processes)
        );
    }
}

/// The plugin's daemon gives each client whole per cent of the threads and whole MiB of the memory: of
/// three replicas 33 %, which are 34 of 108 SMs (pairs); a pod's own limit is stronger.
#[test]
fn replicas_limit_the_pods_of_mps() {
    let with = |pods: &str| {
        let found = experiment(&node("a", HALF, pods, 2));
        found.vms[0].gpus[0].sm_limit.get() * 108.0
    };
    assert!((with("{ sharing = \"mps\", replicas = 3 }") - 34.0).abs() < 1e-9);
    assert!((with("\"mps\"") - 108.0).abs() < 1e-9);
    let own = node("a", HALF, "{ sharing = \"mps\", replicas = 3 }", 2);
    let own = own.replace("count = 2\n", "count = 2\nactive_threads = \"50 %\"\n");
    assert!((experiment(&own).vms[0].gpus[0].sm_limit.get() * 108.0 - 54.0).abs() < 1e-9);
}

/// On bare metal with whole cards each node keeps its pods, on a card of its own.
#[test]
fn a_whole_card_for_a_node_is_for_all_of_its_pods() {
    let found = experiment(&(node("a", HALF, FREE, 2) + &node("b", HALF, FREE, 2)));
    let bare = slicewise::study::whole_cards(&found);
    assert_eq!(bare.cards.len(), 2);
    let places: Vec<u16> = bare.vms.iter().map(|vm| vm.gpus[0].card.0).collect();
    assert_eq!(places, [0, 0, 1, 1]);
    let shared =
        |card: &CardSpec| matches!(card.instances[0].sharing, InstanceSharing::Processes(_));
    assert!(bare.cards.iter().all(shared));
}

/// The picture and the figures of the page are what the program gives; `UPDATE=1` takes a new picture.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn the_page_shows_what_the_sweep_of_pods_gives() {
    holds_sweep(
        "scenarios/curves/pods-in-a-vm.toml",
        "docs/explanation/pods/pods-in-a-vm-latency.svg",
        "docs/explanation/pods.md",
    );
}
