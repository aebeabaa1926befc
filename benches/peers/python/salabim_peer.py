"""Both loads in salabim, as its manual writes queues: https://www.salabim.org/manual/

The manual's bank with a Store: a generator makes customers, a clerk takes them from the store
("Modelling", "Bank, 3 clerks (store)"), in the default, yieldless mode. The times go to a Monitor
of floats; the store's own monitors are off, for nobody else here records the queue's length.
"""

import salabim as sim

from peer import arguments, report


class Source(sim.Component):
    def process(self):
        gap = sim.Exponential(rate=args.rate)
        for _ in range(args.queries):
            self.hold(gap.sample())
            Customer().enter(waiting_room)


class Customer(sim.Component): ...


class Server(sim.Component):
    def process(self):
        while True:
            customer = self.from_store(waiting_room)
            self.hold(args.fixed)
            sojourn.tally(env.now() - customer.creation_time())


class BatchServer(sim.Component):
    def process(self):
        while True:
            batch = [self.from_store(waiting_room)]
            while len(waiting_room) > 0 and len(batch) < args.batch_max:
                batch.append(waiting_room.pop())
            self.hold(args.fixed + args.each * len(batch))
            for customer in batch:
                sojourn.tally(env.now() - customer.creation_time())
            batches.tally(len(batch))


args = arguments()
env = sim.Environment(random_seed=args.seed)
waiting_room = sim.Store("waiting_room", monitor=False)
sojourn = sim.Monitor("sojourn", type="float")
batches = sim.Monitor("batches", type="uint32")
Source()
if args.load == "m-d-1":
    Server()
else:
    BatchServer()
env.run()

count = sojourn.number_of_entries()
report(
    count,
    sojourn.mean(),
    sojourn.percentile(50),
    sojourn.percentile(99),
    batches.number_of_entries() or count,
)
