"""Configuration → plain objects. Pure: no network, no clock, no Pulumi; two runs give the same bytes."""

from partner_mesh.specs.compile import compile_stack
from partner_mesh.specs.compiled import Compiled

__all__ = ["Compiled", "compile_stack"]
