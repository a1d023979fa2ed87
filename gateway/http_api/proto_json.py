"""Protocol messages as the JSON of Triton's HTTP endpoint. Pure.

It differs from protobuf's own JSON: 64-bit integers are numbers, names keep their underscores, and empty lists, maps
and scalars are written out. Messages and members of a ``oneof`` that are not set are left out.
"""

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from gateway.oip import service_pb2

JsonObject = dict[str, object]


def to_json(message: Message) -> JsonObject:
    """A message as nested dictionaries and lists."""
    return {
        field.name: _field_value(message, field)
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def index_to_json(index: service_pb2.RepositoryIndexResponse) -> list[JsonObject]:
    """The repository index: empty versions and reasons are left out."""
    return [{name: value for name, value in to_json(model).items() if value != ""} for model in index.models]


def _field_value(message: Message, field: FieldDescriptor) -> object:
    value = getattr(message, field.name)
    if _is_map(field):
        entry = field.message_type.fields_by_name["value"]
        return {str(key): _single(entry, value[key]) for key in value}
    if isinstance(value, Message | str | bytes | int | float):
        return _single(field, value)
    return [_single(field, item) for item in value]


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


def _single(field: FieldDescriptor, value: object) -> object:
    if isinstance(value, Message):
        return to_json(value)
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return named.name if named is not None else value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value
