"""How messages name a node of a graph, so that a reader finds it in a viewer."""

import re

import onnx

_NAMED = (
    re.compile(r"In Node, \(\"(?P<name>[^\"]*)\""),
    re.compile(r"Name:'(?P<name>[^']*)'"),
    re.compile(r"<Node\([^)]*\): (?P<name>[^>]+)>"),
    re.compile(r"with friendly_name '(?P<name>[^']+)'"),
)
"""Where ONNX Runtime and OpenVINO name a node, or a node that they made of it."""
_MADE_OF_IT = re.compile(r"(?:_nchwc|/WithoutBiases)$")
_OPERATOR = re.compile(r"(?:Fatal error: |operations: )(?:(?P<domain>[\w.]+)[:.])?(?P<op>\w+)(?:\(-?\d+\)|-\d+|\s|$)")
_NOISE = re.compile(
    r"""\S*/\S+\.(?:cc|cpp|h|hpp):\d+:?|Exception\sfrom\s+|\[ONNXRuntimeError\]\s:\s\d+\s:\s[A-Z_]+\s:\s
    |Check\s'.*?'\sfailed\sat\s*|FrontEnd\sAPI\sfailed\swith\s\w+:|To\sfacilitate\s.*?\.html
    |While\svalidating\s(?:ONNX\s)?node\s'.*?'(?:\swith\sfriendly_name\s'.*?')?:
    |Non-zero\sstatus\scode\sreturned\swhile\srunning\s\w+\snode\.\sName:'.*?'\sStatus\sMessage:
    |(?:\w[\w\s]*\s)?onnxruntime::[\w:]+\(.*?\)\s(?:const\s)?|\S+\s==\s\S+\swas\sfalse\.\s""",
    re.VERBOSE | re.DOTALL,
)


def described(node: onnx.NodeProto) -> str:
    """``node 'conv1' (Conv, gives 'features')``; exporters may leave out the name, a node always gives something."""
    outputs = ", ".join(repr(name) for name in node.output if name)
    domain = f"{node.domain}." if node.domain not in {"", "ai.onnx"} else ""
    return f"node {node.name or 'without a name'!r} ({domain}{node.op_type}, gives {outputs or 'nothing'})"


def node_of_message(model: onnx.ModelProto, message: str) -> str | None:
    """The node that a runtime's message speaks of, described; None where it names none that the graph has."""
    names = [_MADE_OF_IT.sub("", match["name"]) for pattern in _NAMED for match in pattern.finditer(message)]
    for name in filter(None, names):
        for node in model.graph.node:
            if name == node.name or name in node.output:
                return described(node)
    for match in _OPERATOR.finditer(message):
        for node in model.graph.node:
            if (node.op_type, node.domain) == (match["op"], match["domain"] or ""):
                return described(node)
    return None


def first_sentence(message: str, *, limit: int = 300) -> str:
    """A runtime's message on one line, without its own sources and stacks."""
    return " ".join(_NOISE.sub("", message).split())[:limit].strip()
