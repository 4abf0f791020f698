"""What a node can ask about others."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from robodistill.ros.bindings.rclpy.qos import QoSProfile


class TopicEndpointTypeEnum(IntEnum):
    """Which side."""

    INVALID = 0
    PUBLISHER = 1
    SUBSCRIPTION = 2


@dataclass
class TopicEndpointInfo:
    """A publisher or subscription of somebody, as rclpy.topic_endpoint_info."""

    node_name: str
    node_namespace: str
    topic_type: str
    topic_type_hash: str
    endpoint_type: TopicEndpointTypeEnum
    endpoint_gid: list[int]
    qos_profile: QoSProfile


def ros_type(wire: str) -> str:
    """sensor_msgs/msg/Image of sensor_msgs::msg::dds_::Image_."""
    return wire.replace("::dds_::", "::").replace("::", "/").removesuffix("_")


class GraphQueries:
    """Mixed into Node."""

    def get_node_names(self) -> list[str]:
        """All nodes, without namespaces."""
        return [node.name for node in self.context.graph.nodes()]

    def get_node_names_and_namespaces(self) -> list[tuple[str, str]]:
        """All nodes."""
        return [(node.name, node.namespace) for node in self.context.graph.nodes()]

    def get_topic_names_and_types(self, no_demangle: bool = False) -> list[tuple[str, list[str]]]:
        """All topics."""
        return self._collect("rt/", None, no_demangle)

    def get_service_names_and_types(self) -> list[tuple[str, list[str]]]:
        """All services."""
        return self._collect("rq/", None)

    def get_publisher_names_and_types_by_node(self, name: str, namespace: str, no_demangle: bool = False) -> list:
        """Topics that a node sends."""
        return self._collect("rt/", (name, namespace), no_demangle, sides=("writers",))

    def get_subscriber_names_and_types_by_node(self, name: str, namespace: str, no_demangle: bool = False) -> list:
        """Topics that a node hears."""
        return self._collect("rt/", (name, namespace), no_demangle, sides=("readers",))

    def get_service_names_and_types_by_node(self, name: str, namespace: str) -> list:
        """Services that a node offers."""
        return self._collect("rq/", (name, namespace), sides=("readers",))

    def get_client_names_and_types_by_node(self, name: str, namespace: str) -> list:
        """Services that a node asks."""
        return self._collect("rq/", (name, namespace), sides=("writers",))

    def count_publishers(self, topic_name: str) -> int:
        """Writers of a topic."""
        return len(self._of_topic("writers", topic_name))

    def count_subscribers(self, topic_name: str) -> int:
        """Readers of a topic."""
        return len(self._of_topic("readers", topic_name))

    def count_services(self, service_name: str) -> int:
        """Servers of a service."""
        full = f"rq{self.resolve_service_name(service_name)}Request"
        return sum(end.topic == full for end in self.context.graph.endpoints("readers"))

    def get_publishers_info_by_topic(self, topic_name: str, no_mangle: bool = False) -> list[TopicEndpointInfo]:
        """Who sends a topic, and how."""
        return self._infos("writers", topic_name, TopicEndpointTypeEnum.PUBLISHER)

    def get_subscriptions_info_by_topic(self, topic_name: str, no_mangle: bool = False) -> list[TopicEndpointInfo]:
        """Who hears a topic, and how."""
        return self._infos("readers", topic_name, TopicEndpointTypeEnum.SUBSCRIPTION)

    def wait_for_node(self, fully_qualified_node_name: str, timeout: float) -> bool:
        """Until a node is seen."""
        import time

        end = time.monotonic() + timeout
        while time.monotonic() < end and self.context.ok():
            names = [f"{space.rstrip('/')}/{name}" for name, space in self.get_node_names_and_namespaces()]
            if fully_qualified_node_name in names:
                return True
            time.sleep(0.05)
        return False

    def _of_topic(self, side: str, topic: str) -> list[Any]:
        full = f"rt{self.resolve_topic_name(topic)}"
        return [end for end in self.context.graph.endpoints(side) if end.topic == full]

    def _infos(self, side: str, topic: str, kind: TopicEndpointTypeEnum) -> list[TopicEndpointInfo]:
        found = []
        for end in self._of_topic(side, topic):
            node = self.context.graph.node_of(end.gid)
            name, space = (node.name, node.namespace) if node else ("_NODE_NAME_UNKNOWN_", "_NODE_NAMESPACE_UNKNOWN_")
            hashed = end.user_data.get("typehash", "INVALID")
            found.append(TopicEndpointInfo(name, space, ros_type(end.kind), hashed, kind, list(end.gid), end.qos))
        return found

    def _collect(
        self, prefix: str, node: tuple[str, str] | None, raw: bool = False, sides: tuple = ("writers", "readers")
    ) -> list[tuple[str, list[str]]]:
        graph = self.context.graph
        gids = None
        if node is not None:
            owners = [n for n in graph.nodes() if (n.name, n.namespace) == node]
            gids = {gid for n in owners for gid in (*n.readers, *n.writers)}
        found: dict[str, set[str]] = {}
        for side in sides:
            for end in graph.endpoints(side):
                if gids is not None and end.gid not in gids:
                    continue
                if raw:
                    found.setdefault(end.topic, set()).add(end.kind)
                elif end.topic.startswith(prefix):
                    name, kind = end.topic[2:], ros_type(end.kind)
                    if prefix == "rq/":
                        name, kind = name.removesuffix("Request"), kind.removesuffix("_Request")
                    found.setdefault(name, set()).add(kind)
        return sorted((name, sorted(kinds)) for name, kinds in found.items())
