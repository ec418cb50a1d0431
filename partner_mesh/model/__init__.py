"""The nouns that every other package speaks: objects, charts, names. Imports nothing of the project."""

from partner_mesh.model.chart import ChartRelease
from partner_mesh.model.manifest import Manifest

__all__ = ["ChartRelease", "Manifest"]
