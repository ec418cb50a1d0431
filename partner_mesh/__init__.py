"""The pure core of partner-mesh: configuration in, Kubernetes objects and verdicts out.

Importing it loads neither Pulumi nor a cloud client (`tests/test_imports.py` holds that).
"""

__version__ = "0.1.0"
