"""Objects in, verdicts out: who can talk to whom, and which object decided.

Reads plain Kubernetes documents and knows nothing of the configuration that they came from: that is what makes its
verdict independent of what was intended.
"""
