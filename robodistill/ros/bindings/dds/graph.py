"""Who is there: what this process tells of its nodes, and what others tell of theirs (rmw_dds_common)."""

import threading
from dataclasses import dataclass

import numpy as np
from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsPublication, BuiltinTopicDcpsSubscription
from cyclonedds.core import InstanceState
from cyclonedds.qos import Policy

from robodistill.ros.bindings.dds.participant import Participant, Reader, Writer
from robodistill.ros.bindings.dds.qos import from_dds
from robodistill.ros.bindings.idl.classes import codec, message_class
from robodistill.ros.bindings.rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile

_INFO = "rmw_dds_common/msg/ParticipantEntitiesInfo"
_TOPIC = "ros_discovery_info"


@dataclass(frozen=True)
class Endpoint:
    """A reader or writer, anybody's."""

    gid: bytes
    topic: str
    """On the wire."""
    kind: str
    """On the wire."""
    qos: QoSProfile
    user_data: dict[str, str]


@dataclass(frozen=True)
class NodeInfo:
    """A node, anybody's."""

    name: str
    namespace: str
    readers: frozenset[bytes]
    writers: frozenset[bytes]


def user_data_of(qos: object) -> dict[str, str]:
    """The entries of USER_DATA, "key=value;"."""
    data = qos[Policy.Userdata]
    text = data.data.decode(errors="replace") if data else ""
    return dict(entry.split("=", 1) for entry in text.split(";") if "=" in entry)


class Graph:
    """Knows and tells; reading is done when something is asked."""

    def __init__(self, participant: Participant) -> None:
        local = DurabilityPolicy.TRANSIENT_LOCAL
        self._participant = participant
        self._writer = participant.writer(_TOPIC, _INFO, QoSProfile(depth=1, durability=local))
        heard = QoSProfile(history=HistoryPolicy.KEEP_ALL, depth=0, durability=local)
        self._reader = participant.reader(_TOPIC, _INFO, heard, ignore_local=True)
        self._builtin = {
            "writers": BuiltinDataReader(participant.entity, BuiltinTopicDcpsPublication),
            "readers": BuiltinDataReader(participant.entity, BuiltinTopicDcpsSubscription),
        }
        self._own: dict[tuple[str, str], tuple[set[bytes], set[bytes]]] = {}
        self._others: dict[bytes, list[NodeInfo]] = {}
        self._endpoints: dict[str, dict[bytes, Endpoint]] = {"writers": {}, "readers": {}}
        self._of_participant: dict[bytes, set[bytes]] = {}
        self._lock = threading.RLock()

    def add_node(self, name: str, namespace: str) -> None:
        """Tell of a node."""
        with self._lock:
            self._own[namespace, name] = (set(), set())
            self._tell()

    def remove_node(self, name: str, namespace: str) -> None:
        """It is gone."""
        with self._lock:
            self._own.pop((namespace, name), None)
            self._tell()

    def change(
        self,
        name: str,
        namespace: str,
        readers: tuple[Reader, ...] = (),
        writers: tuple[Writer, ...] = (),
        gone: bool = False,
    ) -> None:
        """A node has new endpoints, or loses them."""
        with self._lock:
            own = self._own.get((namespace, name))
            if own is None:
                return
            for known, changed in zip(own, (readers, writers), strict=True):
                gids = {entity.gid for entity in changed}
                known.difference_update(gids) if gone else known.update(gids)
            self._tell()

    def _tell(self) -> None:
        Info, Node, Gid = (message_class(f"rmw_dds_common/msg/{part}") for part in _PARTS)

        def gid(data: bytes) -> object:
            return Gid(data=np.frombuffer(data, np.uint8))

        nodes = [
            Node(
                node_namespace=namespace,
                node_name=name,
                reader_gid_seq=[gid(data) for data in sorted(readers)],
                writer_gid_seq=[gid(data) for data in sorted(writers)],
            )
            for (namespace, name), (readers, writers) in self._own.items()
        ]
        info = Info(gid=gid(self._participant.gid), node_entities_info_seq=nodes)
        self._writer.write(codec(_INFO).encode(info))

    def nodes(self) -> list[NodeInfo]:
        """All nodes, ours first."""
        with self._lock:
            self._listen()
            own = [NodeInfo(n, ns, frozenset(r), frozenset(w)) for (ns, n), (r, w) in self._own.items()]
            # what a participant told last may be heard after it has gone
            here = [nodes for participant, nodes in self._others.items() if participant in self._of_participant]
            return own + [node for nodes in here for node in nodes]

    def endpoints(self, side: str) -> list[Endpoint]:
        """All "readers" or "writers"."""
        with self._lock:
            self._listen()
            return list(self._endpoints[side].values())

    def node_of(self, gid: bytes) -> NodeInfo | None:
        """Whose reader or writer this is."""
        return next((node for node in self.nodes() if gid in node.readers or gid in node.writers), None)

    def _listen(self) -> None:
        """Take the news."""
        for side, builtin in self._builtin.items():
            while samples := builtin.take(64):
                for sample in samples:
                    self._hear_endpoint(side, sample)
        while found := self._reader.take(64):
            for data, _ in found:
                self._hear_nodes(data)

    def _hear_endpoint(self, side: str, sample: object) -> None:
        gid = sample.key.bytes
        if sample.sample_info.instance_state != InstanceState.Alive:
            self._endpoints[side].pop(gid, None)
            for participant, gids in list(self._of_participant.items()):
                gids.discard(gid)
                if not gids:  # every participant of ROS has endpoints for as long as it lives
                    del self._of_participant[participant]
                    self._others.pop(participant, None)
            return
        data = user_data_of(sample.qos)
        qos = from_dds(sample.qos)
        self._endpoints[side][gid] = Endpoint(gid, sample.topic_name, sample.type_name, qos, data)
        self._of_participant.setdefault(sample.participant_key.bytes, set()).add(gid)

    def _hear_nodes(self, data: bytes) -> None:
        info = codec(_INFO).decode(data)
        self._others[bytes(info.gid.data)] = [
            NodeInfo(
                node.node_name,
                node.node_namespace,
                frozenset(bytes(gid.data) for gid in node.reader_gid_seq),
                frozenset(bytes(gid.data) for gid in node.writer_gid_seq),
            )
            for node in info.node_entities_info_seq
        ]

    def close(self) -> None:
        """Fall silent."""
        self._writer.close()
        self._reader.close()


_PARTS = ("ParticipantEntitiesInfo", "NodeEntitiesInfo", "Gid")
