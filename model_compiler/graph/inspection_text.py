"""An inspection as a page of text and as JSON."""

from collections.abc import Iterator
from typing import Any

from model_compiler.graph.inspection import Inspection

_LONGEST_VALUE = 80


def inspection_text(found: Inspection) -> str:
    """The facts, a line each, without an end of line."""
    return "\n".join(_lines(found))


def inspection_json(found: Inspection) -> dict[str, Any]:
    """The facts as JSON values."""
    tensors = {
        name: [{"name": facts.name, "datatype": facts.datatype, "shape": list(facts.shape)} for facts in side]
        for name, side in (("inputs", found.inputs), ("outputs", found.outputs))
    }
    return tensors | {
        "producer": found.producer,
        "opsets": dict(found.opsets),
        "operators": dict(found.operators),
        "node_count": found.node_count,
        "parameter_count": found.parameter_count,
        "multiply_adds": found.multiply_adds,
        "uncounted": list(found.uncounted),
        "size_bytes": found.size_bytes,
        "weighted_nodes": found.weighted_nodes,
        "quantized_nodes": found.quantized_nodes,
        "quantized_share": found.quantized_share,
        "metadata": dict(found.metadata),
        "external_files": list(found.external_files),
    }


def _lines(found: Inspection) -> Iterator[str]:
    for name, side in (("input", found.inputs), ("output", found.outputs)):
        yield from (f"{name:<15}{facts}" for facts in side)
    yield f"{'exported by':<15}{found.producer or 'not noted'}"
    yield f"{'operator sets':<15}{', '.join(f'{domain} {version}' for domain, version in found.opsets.items())}"
    yield f"{'parameters':<15}{found.parameter_count:,}"
    yield f"{'multiply-adds':<15}{_cost(found)}"
    yield f"{'size':<15}{_size(found.size_bytes)}"
    if found.external_files:
        yield f"{'weights in':<15}{', '.join(found.external_files)}"
    yield (
        f"{'quantised':<15}{found.quantized_nodes} of {found.weighted_nodes} convolutions and matrix products"
        f" ({found.quantized_share:.0%})"
    )
    yield f"{'nodes':<15}{found.node_count}"
    yield from (f"  {operator:<27}{count:>5}" for operator, count in found.operators.items())
    if found.metadata:
        yield "metadata"
        yield from (f"  {key:<13}{_shortened(value)}" for key, value in found.metadata.items())


def _cost(found: Inspection) -> str:
    if not found.uncounted:
        return f"{found.multiply_adds / 1e6:,.3f} million for one picture"
    if not found.multiply_adds:
        return "not known: the sizes of the graph are open"
    left_out = f"{len(found.uncounted)} nodes of unknown shape are left out, the first is {found.uncounted[0]}"
    return f"more than {found.multiply_adds / 1e6:,.3f} million for one picture; {left_out}"


def _shortened(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= _LONGEST_VALUE else f"{line[: _LONGEST_VALUE - 3]}..."


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"
