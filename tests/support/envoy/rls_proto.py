"""Envoy's rate limit messages, made by protobuf's own runtime: what ours are held against."""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2

_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_KINDS: Final = {
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
    "uint32": _FIELD.TYPE_UINT32,
    "uint64": _FIELD.TYPE_UINT64,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
}
_STRUCT: Final = ".google.protobuf.Struct"

# For each message its fields in the form NAME NUMBER TYPE, with a star for those that repeat.
_MESSAGES: Final = {
    "Entry": "key 1 string, value 2 string",
    "Override": "requests_per_unit 1 uint32, unit 2 int32",
    "Hits": "value 1 uint64",
    "Descriptor": "entries 1 Entry*, limit 2 Override, hits_addend 3 Hits",
    "Request": "domain 1 string, descriptors 2 Descriptor*, hits_addend 3 uint32",
    "Limit": "requests_per_unit 1 uint32, unit 2 int32, name 3 string",
    "Duration": "seconds 1 int64, nanos 2 int32",
    "Status": (
        "code 1 int32, current_limit 2 Limit, limit_remaining 3 uint32,"
        " duration_until_reset 4 Duration"
    ),
    "Header": "key 1 string, value 2 string, raw_value 3 bytes",
    "Response": (
        "overall_code 1 int32, statuses 2 Status*, response_headers_to_add 3 Header*,"
        f" request_headers_to_add 4 Header*, raw_body 5 bytes, dynamic_metadata 6 {_STRUCT}"
    ),
    "ReserveRequest": "domain 1 string, descriptors 2 Descriptor*, amount 3 uint64, ttl 4 Duration",
    "ReserveResponse": "code 1 int32, reservation_id 2 string",
    "CommitRequest": (
        "domain 1 string, descriptors 2 Descriptor*, reservation_id 3 string,"
        " actual_amount 4 uint64"
    ),
    "CommitResponse": "reservation_released 1 uint32",
    "HealthRequest": "service 1 string",
    "HealthResponse": "status 1 int32",
}


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="rls_for_tests.proto",
        package="rls",
        syntax="proto3",
        dependency=[struct_pb2.DESCRIPTOR.name],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields.split(", "):
            called, number, kind = field.split()
            repeated = kind.endswith("*")
            added = message.field.add(name=called, number=int(number))
            added.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            of = kind.removesuffix("*")
            added.type = _KINDS.get(of, _FIELD.TYPE_MESSAGE)
            if of not in _KINDS:
                added.type_name = of if of.startswith(".") else f".rls.{of}"
    pool = descriptor_pool.Default()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"rls.{name}") for name in _MESSAGES)
    return {it.name: message_factory.GetMessageClass(it) for it in found}


_CLASSES: Final = _classes()
Request: Any = _CLASSES["Request"]
Response: Any = _CLASSES["Response"]
ReserveRequest: Any = _CLASSES["ReserveRequest"]
ReserveResponse: Any = _CLASSES["ReserveResponse"]
CommitRequest: Any = _CLASSES["CommitRequest"]
CommitResponse: Any = _CLASSES["CommitResponse"]
HealthRequest: Any = _CLASSES["HealthRequest"]
HealthResponse: Any = _CLASSES["HealthResponse"]

Entries = list[tuple[str, str]]


def request(
    domain: str, *descriptors: Entries, hits: int = 0, each: list[int | None] | None = None
) -> Any:
    """Return a request; `each` are the hits of the descriptors, None where they say nothing."""
    made = Request(domain=domain, hits_addend=hits)
    for at, entries in enumerate(descriptors):
        descriptor = made.descriptors.add()
        for key, value in entries:
            descriptor.entries.add(key=key, value=value)
        if each and (addend := each[at]) is not None:
            descriptor.hits_addend.value = addend
    return made
