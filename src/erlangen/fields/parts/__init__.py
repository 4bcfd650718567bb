"""Machine parts: solids by constructive geometry, sampled with the normals of their faces."""

from erlangen.fields.parts.solids import Parts, machine_parts

__all__ = ["Parts", "machine_parts"]
