"""The lab: a real API server, istiod and Envoy on this machine, given exactly the objects that would be deployed.

There are no containers. Every workload has a network namespace of its own, and one process plays the kubelet: it asks
the API server for Pods, which istiod's webhook injects, and runs what those Pods name from binaries of this machine.
"""


class LabError(Exception):
    """Something of the lab cannot be had or has failed; the message names the component, the reason and the remedy."""
