"""Both loads in SimPy 4, as its manual writes queues: https://simpy.readthedocs.io/en/latest/

M/D/1 is the manual's bank: a process for each customer, who requests a Resource and holds it for
a Timeout ("Bank Renege", "Shared Resources"). Batches: customers wait in a Store, from which one
process takes them ("Producer/Consumer").
"""

import random

import simpy

from peer import arguments, report_list


def customer(env, server, service, sojourns):
    arrived = env.now
    with server.request() as request:
        yield request
        yield env.timeout(service)
    sojourns.append(env.now - arrived)


def source(env, args, server, sojourns):
    for _ in range(args.queries):
        yield env.timeout(random.expovariate(args.rate))
        env.process(customer(env, server, args.fixed, sojourns))


def batch_source(env, args, store):
    for _ in range(args.queries):
        yield env.timeout(random.expovariate(args.rate))
        yield store.put(env.now)


def batch_server(env, args, store, sojourns, batches):
    while True:
        batch = [(yield store.get())]
        while store.items and len(batch) < args.batch_max:
            batch.append((yield store.get()))
        yield env.timeout(args.fixed + args.each * len(batch))
        sojourns.extend(env.now - arrived for arrived in batch)
        batches.append(len(batch))


def main():
    args = arguments()
    random.seed(args.seed)
    env = simpy.Environment()
    sojourns, batches = [], []
    if args.load == "m-d-1":
        env.process(source(env, args, simpy.Resource(env, capacity=1), sojourns))
    else:
        store = simpy.Store(env)
        env.process(batch_source(env, args, store))
        env.process(batch_server(env, args, store, sojourns, batches))
    env.run()
    report_list(sojourns, len(batches) or len(sojourns))


main()
