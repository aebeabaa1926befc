"""Both loads in Ciw 3, as its manual writes queues: https://ciw.readthedocs.io/en/latest/

M/D/1 is a network of one node, its records read at the end ("Simulating until a maximum number of
customers", "How to Collect Results"). Ciw has no server of batches; its manual's way to what it has
not is a Node class of one's own ("How to Get More Custom Behaviour"): here of as many servers as a
batch has places, which start and end together.
"""

import ciw

from peer import arguments, report_list


def batch_node(args):
    class BatchNode(ciw.Node):
        def begin_service_if_possible_accept(self, next_individual):
            next_individual.arrival_date = self.now
            self.begin_batch_if_possible()

        def begin_service_if_possible_release(self, next_individual, newly_free_server):
            self.begin_batch_if_possible()

        def begin_batch_if_possible(self):
            if self.number_in_service > 0:
                return
            batch = self.all_individuals[: self.c]
            time = args.fixed + args.each * len(batch)
            for server, individual in zip(self.servers, batch):
                self.attach_server(server, individual)
                individual.service_start_date = self.now
                individual.service_time = time
                individual.service_end_date = self.now + time
                server.next_end_service_date = individual.service_end_date
            self.number_in_service = len(batch)

    return BatchNode


def main():
    args = arguments()
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=args.rate)],
        service_distributions=[ciw.dists.Deterministic(value=args.fixed)],
        number_of_servers=[args.batch_max],
    )
    ciw.seed(args.seed)
    node_class = batch_node(args) if args.load == "batch" else None
    simulation = ciw.Simulation(network, node_class=node_class)
    simulation.simulate_until_max_customers(args.queries)
    records = simulation.get_all_records()
    batches = len({record.service_start_date for record in records})
    report_list([record.exit_date - record.arrival_date for record in records], batches)


main()
