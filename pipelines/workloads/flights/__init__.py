"""Which flights out of New York will arrive late, as seen two hours before they are due to leave."""

from pipelines.workloads.flights.workload import WORKLOAD

__all__ = ["WORKLOAD"]
