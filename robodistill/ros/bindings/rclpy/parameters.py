"""A node's parameters: declaring, setting, constraints, the six services, /parameter_events."""

from collections.abc import Callable, Sequence
from typing import Any

from robodistill.ros.bindings.idl.classes import message_class, service_type
from robodistill.ros.bindings.rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterAlreadyDeclaredException,
    ParameterImmutableException,
    ParameterNotDeclaredException,
    ParameterUninitializedException,
)
from robodistill.ros.bindings.rclpy.parameter import Parameter, type_of
from robodistill.ros.bindings.rclpy.qos import qos_profile_parameter_events, qos_profile_parameters


class Parameters:
    """Those of one node."""

    def __init__(self, node: Any, overrides: dict[str, Any], allow_undeclared: bool) -> None:
        self._node, self._overrides, self._allow = node, overrides, allow_undeclared
        self._values: dict[str, Parameter] = {}
        self._descriptors: dict[str, Any] = {}
        self._checks: list[Callable] = []
        self._pre: list[Callable] = []
        self._post: list[Callable] = []
        self._events: Any = None

    def serve(self) -> None:
        """Offer the services that `ros2 param` asks."""
        node = self._node
        self._events = node.create_publisher(
            message_class("rcl_interfaces/msg/ParameterEvent"), "/parameter_events", qos_profile_parameter_events
        )
        for kind, answer in (
            ("DescribeParameters", self._describe),
            ("GetParameters", self._get),
            ("GetParameterTypes", self._types),
            ("ListParameters", self._list),
            ("SetParameters", self._set),
            ("SetParametersAtomically", self._set_atomically),
        ):
            name = "".join("_" + c.lower() if c.isupper() else c for c in kind)[1:]
            service = service_type(f"rcl_interfaces/srv/{kind}")
            node.create_service(service, f"~/{name}", answer, qos_profile=qos_profile_parameters)

    def declare(self, name: str, value: Any, descriptor: Any, ignore_override: bool) -> Parameter:
        """See rclpy's Node.declare_parameter."""
        if not isinstance(name, str) or not name:
            raise TypeError(f"a parameter's name is text, got {name!r}")
        if name in self._values:
            raise ParameterAlreadyDeclaredException(name)
        Descriptor = message_class("rcl_interfaces/msg/ParameterDescriptor")
        descriptor = Descriptor() if descriptor is None else descriptor
        kind = value if isinstance(value, Parameter.Type) else type_of(value)
        default = None if isinstance(value, Parameter.Type) else value
        given = not ignore_override and name in self._overrides
        chosen = self._overrides[name] if given else default
        if not descriptor.dynamic_typing:
            chosen = _as_type(chosen, kind)
            if given and type_of(chosen) != kind and kind != Parameter.Type.NOT_SET and not kind.check(chosen):
                raise InvalidParameterTypeException(Parameter(name, value=chosen), kind.name)
        kept = kind if chosen is None else type_of(chosen) if chosen != [] else kind
        descriptor.name, descriptor.type = name, (type_of(chosen) if chosen is not None else kind).value
        if isinstance(chosen, list) and not chosen:
            descriptor.type, kept = kind.value, kind
        parameter = Parameter(name, kept if chosen is not None else Parameter.Type.NOT_SET, chosen)
        reason = self._reason_against(parameter, descriptor, first=True)
        if reason:
            raise InvalidParameterValueException(name, chosen, reason)
        for check in self._checks:
            result = check([parameter])
            if not result.successful:
                raise InvalidParameterValueException(name, chosen, result.reason)
        self._values[name], self._descriptors[name] = parameter, descriptor
        self._tell(new=[parameter])
        return parameter

    def undeclare(self, name: str) -> None:
        """Forget one."""
        if name not in self._values:
            raise ParameterNotDeclaredException(name)
        if self._descriptors[name].read_only:
            raise ParameterImmutableException(name)
        self._tell(deleted=[self._values.pop(name)])
        del self._descriptors[name]

    def has(self, name: str) -> bool:
        """Whether it is declared."""
        return name in self._values

    def get(self, name: str) -> Parameter:
        """Its value."""
        if name not in self._values:
            if self._allow:
                return Parameter(name, Parameter.Type.NOT_SET, None)
            raise ParameterNotDeclaredException(name)
        found = self._values[name]
        if found.type_ == Parameter.Type.NOT_SET and not self._descriptors[name].dynamic_typing and not self._allow:
            raise ParameterUninitializedException(name)
        return found

    def by_prefix(self, prefix: str) -> dict[str, Parameter]:
        """Those below a prefix, by the rest of their names."""
        start = f"{prefix}." if prefix else ""
        return {n.removeprefix(start): p for n, p in self._values.items() if n.startswith(start)}

    def set_one_by_one(self, parameters: Sequence[Parameter], strict: bool) -> list[Any]:
        """Each by itself; undeclared ones raise where `strict`."""
        unknown = [p.name for p in parameters if p.name not in self._values]
        if unknown and strict and not self._allow:
            raise ParameterNotDeclaredException(unknown)
        return [self.set_together([parameter]) for parameter in parameters]

    def set_together(self, parameters: Sequence[Parameter]) -> Any:
        """All or none."""
        Result = message_class("rcl_interfaces/msg/SetParametersResult")
        for before in self._pre:
            parameters = before(parameters)
        for parameter in parameters:
            if parameter.name not in self._values and not self._allow:
                return Result(successful=False, reason=f"Parameter {parameter.name} is not declared")
            reason = self._reason_against(parameter, self._descriptors.get(parameter.name))
            if reason:
                return Result(successful=False, reason=reason)
        for check in self._checks:
            result = check(list(parameters))
            if not result.successful:
                return result
        new = [p for p in parameters if p.name not in self._values]
        for parameter in parameters:
            self._values[parameter.name] = parameter
            if parameter.name not in self._descriptors:
                Descriptor = message_class("rcl_interfaces/msg/ParameterDescriptor")
                made = Descriptor(name=parameter.name, type=parameter.type_.value, dynamic_typing=True)
                self._descriptors[parameter.name] = made
        self._tell(new=new, changed=[p for p in parameters if p not in new])
        for after in self._post:
            after(list(parameters))
        return Result(successful=True)

    def descriptor(self, name: str) -> Any:
        """What was declared with it."""
        if name not in self._descriptors:
            if self._allow:
                return message_class("rcl_interfaces/msg/ParameterDescriptor")()
            raise ParameterNotDeclaredException(name)
        return self._descriptors[name]

    def set_descriptor(self, name: str, descriptor: Any) -> None:
        """Another one."""
        self.descriptor(name)
        self._descriptors[name] = descriptor

    def _reason_against(self, parameter: Parameter, descriptor: Any, first: bool = False) -> str:
        """Why a value cannot be; empty where it can."""
        if descriptor is None:
            return ""
        name, kind, value = parameter.name, parameter.type_, parameter.value
        if descriptor.read_only and not first:
            return f"Trying to set a read-only parameter: {name}."
        if not descriptor.dynamic_typing and not first and kind.value != descriptor.type:
            empty = isinstance(value, list) and not value and descriptor.type >= 5
            if descriptor.type and not empty:
                return f"Wrong parameter type, expected '{Parameter.Type(descriptor.type)}' got '{kind}'"
        ranges = descriptor.integer_range if kind == Parameter.Type.INTEGER else descriptor.floating_point_range
        if kind in (Parameter.Type.INTEGER, Parameter.Type.DOUBLE) and ranges:
            low, high, step = ranges[0].from_value, ranges[0].to_value, ranges[0].step
            if not low <= value <= high:
                return f"Parameter {name} out of range. Min: {low}, Max: {high}, value: {value}"
            if step and abs((value - low) / step - round((value - low) / step)) > 1e-6 and value != high:
                return f"The parameter value for {name} is not a valid step. Min: {low}, Max: {high}, step: {step}"
        return ""

    def _tell(self, new: Sequence = (), changed: Sequence = (), deleted: Sequence = ()) -> None:
        if self._events is None:
            return
        event = message_class("rcl_interfaces/msg/ParameterEvent")(
            stamp=self._node.get_clock().now().to_msg(),
            node=self._node.get_fully_qualified_name(),
            new_parameters=[p.to_parameter_msg() for p in new],
            changed_parameters=[p.to_parameter_msg() for p in changed],
            deleted_parameters=[p.to_parameter_msg() for p in deleted],
        )
        self._events.publish(event)

    def _describe(self, request: Any, response: Any) -> Any:
        known = [name for name in request.names if name in self._descriptors]
        if len(known) == len(request.names) or self._allow:
            response.descriptors = [self.descriptor(name) for name in request.names]
        return response

    def _get(self, request: Any, response: Any) -> Any:
        Value = message_class("rcl_interfaces/msg/ParameterValue")
        found = [self._values.get(name) for name in request.names]
        response.values = [Value() if p is None else p.get_parameter_value() for p in found]
        return response

    def _types(self, request: Any, response: Any) -> Any:
        response.types = [self._values[n].type_.value if n in self._values else 0 for n in request.names]
        return response

    def _list(self, request: Any, response: Any) -> Any:
        found, prefixes = [], set()
        for name in self._values:
            fits = [p for p in request.prefixes if name == p or name.startswith(f"{p}.")]
            if request.prefixes and not fits:
                continue
            rest = name.removeprefix(max(fits, key=len)).strip(".") if fits else name
            if request.depth and rest.count(".") >= request.depth:
                continue
            found.append(name)
            if "." in name:
                prefixes.add(name.rpartition(".")[0])
        response.result.names, response.result.prefixes = found, sorted(prefixes)
        return response

    def _set(self, request: Any, response: Any) -> Any:
        response.results = [self._try([message]) for message in request.parameters]
        return response

    def _set_atomically(self, request: Any, response: Any) -> Any:
        response.result = self._try(request.parameters)
        return response

    def _try(self, messages: Sequence) -> Any:
        try:
            return self.set_together([Parameter.from_parameter_msg(message) for message in messages])
        except (TypeError, ValueError) as error:
            return message_class("rcl_interfaces/msg/SetParametersResult")(successful=False, reason=str(error))


def _as_type(value: Any, kind: Parameter.Type) -> Any:
    """YAML writes 1 for 1.0: whole numbers count as floating ones where such are declared."""
    if kind == Parameter.Type.DOUBLE and type(value) is int:
        return float(value)
    if kind == Parameter.Type.DOUBLE_ARRAY and isinstance(value, list) and {type(v) for v in value} <= {int, float}:
        return [float(v) for v in value]
    return value
