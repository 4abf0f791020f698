"""Nodes, as rclpy.node."""

from collections.abc import Callable, Sequence
from typing import Any

from robodistill.ros.bindings.idl.classes import message_class
from robodistill.ros.bindings.rclpy import logging
from robodistill.ros.bindings.rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from robodistill.ros.bindings.rclpy.clock import Clock, ROSClock
from robodistill.ros.bindings.rclpy.endpoints import Client, Publisher, Service, Subscription
from robodistill.ros.bindings.rclpy.graph_queries import GraphQueries
from robodistill.ros.bindings.rclpy.names import expand, remap, validate_namespace, validate_node
from robodistill.ros.bindings.rclpy.parameter import Parameter
from robodistill.ros.bindings.rclpy.parameter_access import ParameterAccess
from robodistill.ros.bindings.rclpy.parameters import Parameters
from robodistill.ros.bindings.rclpy.qos import as_profile, qos_profile_rosout, qos_profile_services_default
from robodistill.ros.bindings.rclpy.time import Time
from robodistill.ros.bindings.rclpy.timer import Rate, Timer
from robodistill.ros.bindings.rclpy.utilities import get_default_context


class Node(GraphQueries, ParameterAccess):
    """A node."""

    def __init__(
        self,
        node_name: str,
        *,
        context: Any = None,
        cli_args: Sequence[str] | None = None,
        namespace: str | None = None,
        use_global_arguments: bool = True,
        enable_rosout: bool = True,
        start_parameter_services: bool = True,
        parameter_overrides: Sequence[Parameter] | None = None,
        allow_undeclared_parameters: bool = False,
        automatically_declare_parameters_from_overrides: bool = False,
        enable_logger_service: bool = False,
    ) -> None:
        from robodistill.ros.bindings.rclpy.arguments import Arguments, parse

        self._context = context or get_default_context()
        told = parse(["--ros-args", *cli_args]) if cli_args and "--ros-args" not in cli_args else parse(cli_args or [])
        everywhere = self._context.arguments if use_global_arguments else Arguments()
        self._remaps = [*told.remaps, *everywhere.remaps]
        name = next((n for a in (told, everywhere) if (n := a.rename("__node", node_name))), node_name)
        space = next((n for a in (told, everywhere) if (n := a.rename("__ns", node_name))), namespace or "/")
        self._name, self._namespace = validate_node(name), validate_namespace(space)
        self._entities: list[Any] = []
        self._timers: list[Timer] = []
        self._alive = True
        self._executor: Any = None
        self._default_group = MutuallyExclusiveCallbackGroup()
        self._clock = ROSClock()
        self._logger = logging.get_logger(self.get_fully_qualified_name()[1:].replace("/", "."))
        self._context.participant  # noqa: B018  join the network
        self._context.graph.add_node(self._name, self._namespace)
        if enable_rosout:
            self._start_rosout()
        overrides = everywhere.values_for(self.get_fully_qualified_name())
        overrides |= told.values_for(self.get_fully_qualified_name())
        overrides |= {p.name: p.value for p in parameter_overrides or ()}
        self._parameters = Parameters(self, overrides, allow_undeclared_parameters)
        if start_parameter_services:
            self._parameters.serve()
        if automatically_declare_parameters_from_overrides:
            for key, value in overrides.items():
                self._parameters.declare(key, value, None, False)
        if not self.has_parameter("use_sim_time"):
            self.declare_parameter("use_sim_time", False)
        self._clock_subscription: Any = None
        self._follow_clock(self.get_parameter("use_sim_time").value)
        self.add_post_set_parameters_callback(self._on_sim_time)

    # --- who it is

    @property
    def context(self) -> Any:
        """Its context."""
        return self._context

    @property
    def executor(self) -> Any:
        """Who serves it, if anybody does."""
        return self._executor

    @executor.setter
    def executor(self, executor: Any) -> None:
        before, self._executor = self._executor, executor
        if before is not None and before is not executor:
            before.remove_node(self)
            self._executor = executor
        if executor is not None and self not in executor.get_nodes():
            executor.add_node(self)

    @property
    def default_callback_group(self) -> CallbackGroup:
        """Of entities that name none: one at a time."""
        return self._default_group

    @property
    def handle(self) -> "Node":
        """Itself: there is no C object behind it."""
        return self

    def get_name(self) -> str:
        """Without the namespace."""
        return self._name

    def get_namespace(self) -> str:
        """Begins with a slash."""
        return self._namespace

    def get_fully_qualified_name(self) -> str:
        """Namespace and name."""
        return f"{self._namespace.rstrip('/')}/{self._name}"

    def get_logger(self) -> logging.RcutilsLogger:
        """Its logger."""
        return self._logger

    def get_clock(self) -> Clock:
        """ROS time."""
        return self._clock

    # --- what it makes

    @property
    def publishers(self) -> list[Publisher]:
        """All of its."""
        return [e for e in self._entities if isinstance(e, Publisher)]

    @property
    def subscriptions(self) -> list[Subscription]:
        """All of its."""
        return [e for e in self._entities if isinstance(e, Subscription)]

    @property
    def services(self) -> list[Service]:
        """All of its."""
        return [e for e in self._entities if isinstance(e, Service)]

    @property
    def clients(self) -> list[Client]:
        """All of its."""
        return [e for e in self._entities if isinstance(e, Client)]

    @property
    def timers(self) -> list[Timer]:
        """All of its."""
        return self._timers

    def create_publisher(
        self, msg_type: type, topic: str, qos_profile: Any, *, callback_group: Any = None, **_: Any
    ) -> Publisher:
        """Send messages. QoS events are not supported; their callbacks are never called."""
        made = Publisher(
            self, _message(msg_type), self.resolve_topic_name(topic), as_profile(qos_profile), callback_group
        )
        return self._know(made)

    def create_subscription(
        self,
        msg_type: type,
        topic: str,
        callback: Callable,
        qos_profile: Any,
        *,
        callback_group: Any = None,
        raw: bool = False,
        **_: Any,
    ) -> Subscription:
        """Receive messages. Content filters and QoS events are not supported."""
        group = callback_group or self._default_group
        name = self.resolve_topic_name(topic)
        return self._know(Subscription(self, _message(msg_type), name, callback, as_profile(qos_profile), group, raw))

    def create_service(
        self, srv_type: type, srv_name: str, callback: Callable, *, qos_profile: Any = None, callback_group: Any = None
    ) -> Service:
        """Answer requests."""
        qos = qos_profile or qos_profile_services_default
        group = callback_group or self._default_group
        return self._know(Service(self, srv_type, self.resolve_service_name(srv_name), callback, qos, group))

    def create_client(
        self, srv_type: type, srv_name: str, *, qos_profile: Any = None, callback_group: Any = None
    ) -> Client:
        """Ask a service."""
        qos = qos_profile or qos_profile_services_default
        group = callback_group or self._default_group
        return self._know(Client(self, srv_type, self.resolve_service_name(srv_name), qos, group))

    def create_timer(
        self,
        timer_period_sec: float,
        callback: Callable,
        callback_group: Any = None,
        clock: Clock | None = None,
        autostart: bool = True,
    ) -> Timer:
        """Be called every so many seconds."""
        group = callback_group or self._default_group
        timer = Timer(self, callback, group, round(timer_period_sec * 1e9), clock or self._clock, autostart)
        self._timers.append(timer)
        self._wake()
        return timer

    def create_rate(self, frequency: float, clock: Clock | None = None) -> Rate:
        """Sleep so often a second."""
        if frequency <= 0:
            raise ValueError("frequency must be > 0")
        from robodistill.ros.bindings.rclpy.callback_groups import ReentrantCallbackGroup

        group = ReentrantCallbackGroup()
        return Rate(lambda then: self.create_timer(1 / frequency, then, group, clock), self._context)

    def create_guard_condition(self, callback: Callable, callback_group: Any = None) -> Any:
        """Something that another thread can trigger."""
        from robodistill.ros.bindings.rclpy.guard_condition import GuardCondition

        return GuardCondition(self, callback, callback_group or self._default_group)

    def destroy_publisher(self, publisher: Publisher) -> bool:
        """Take it off the network."""
        return self._destroy(publisher)

    destroy_subscription = destroy_service = destroy_client = destroy_timer = destroy_publisher

    def destroy_rate(self, rate: Rate) -> bool:
        """Stop it."""
        rate.destroy()
        return True

    def destroy_node(self) -> None:
        """Take all of it off the network."""
        if not self._alive:
            return
        self._alive = False
        logging.remove_sink(self._logger.name)
        if self._context.ok():
            self._context.graph.remove_node(self._name, self._namespace)
        for entity in [*self._timers, *self._entities]:
            if self._context.ok():
                entity.destroy()
            entity._alive = False
        if self._executor is not None:
            self._executor.remove_node(self)

    def _destroy(self, entity: Any) -> bool:
        known = entity in self._entities or entity in self._timers
        if known:
            entity.destroy()
        return known

    def _know(self, entity: Any) -> Any:
        self._entities.append(entity)
        self._tell_graph(*entity._endpoints())
        if self._executor is not None:
            self._executor.entities_changed()
        return entity

    def _forget(self, entity: Any) -> None:
        for known in (self._entities, self._timers):
            if entity in known:
                known.remove(entity)
        if self._executor is not None:
            self._executor.entities_changed()

    def _tell_graph(self, readers: tuple, writers: tuple, gone: bool = False) -> None:
        if (readers or writers) and self._context.ok():
            self._context.graph.change(self._name, self._namespace, readers, writers, gone)

    def _waited(self) -> list[Any]:
        return [entity for entity in list(self._entities) if entity.condition is not None]

    def _wake(self) -> None:
        if self._executor is not None:
            self._executor.wake()

    # --- names

    def resolve_topic_name(self, topic: str, *, only_expand: bool = False) -> str:
        """Full and remapped."""
        full = expand(topic, self._name, self._namespace)
        return full if only_expand else remap(full, self._remaps, self._name, self._namespace)

    def resolve_service_name(self, service: str, *, only_expand: bool = False) -> str:
        """Full and remapped."""
        full = expand(service, self._name, self._namespace, service=True)
        return full if only_expand else remap(full, self._remaps, self._name, self._namespace)

    # --- /rosout and /clock

    def _start_rosout(self) -> None:
        Log = message_class("rcl_interfaces/msg/Log")
        rosout = self.create_publisher(Log, "/rosout", qos_profile_rosout)

        def tell(stamp: int, severity: int, name: str, text: str, caller: Any) -> None:
            if not rosout._alive or not self._context.ok():
                return
            code = caller.f_code
            where = {"file": code.co_filename, "function": code.co_name, "line": caller.f_lineno}
            stamp_msg = Time(nanoseconds=stamp).to_msg()
            rosout.publish(Log(stamp=stamp_msg, level=int(severity), name=name, msg=text, **where))

        logging.add_sink(self._logger.name, tell)

    def _on_sim_time(self, parameters: Sequence[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == "use_sim_time":
                self._follow_clock(parameter.value)

    def _follow_clock(self, follow: bool) -> None:
        self._clock._set_ros_time_is_active(bool(follow))
        if follow and self._clock_subscription is None:
            from robodistill.ros.bindings.rclpy.callback_groups import ReentrantCallbackGroup
            from robodistill.ros.bindings.rclpy.qos import QoSProfile, ReliabilityPolicy

            self._clock_subscription = self.create_subscription(
                message_class("rosgraph_msgs/msg/Clock"),
                "/clock",
                lambda msg: self._clock.set_ros_time_override(Time.from_msg(msg.clock)),
                QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
                callback_group=ReentrantCallbackGroup(),
            )
        elif not follow and self._clock_subscription is not None:
            self._clock_subscription.destroy()
            self._clock_subscription = None


def _message(kind: Any) -> type:
    if not hasattr(kind, "_name") or "/msg/" not in getattr(kind, "_name", "") and "_" not in kind._name:
        raise TypeError(f"{kind!r} is not a message type")
    return kind
