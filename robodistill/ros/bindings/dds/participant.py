"""One process on the wire: its participant, its topics, readers and writers, and what it announces of itself."""

import threading
from dataclasses import dataclass

from cyclonedds._clayer import ddspy_take
from cyclonedds.builtin_types import DcpsEndpoint
from cyclonedds.core import Entity
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.pub import DataWriter, Publisher
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader, Subscriber
from cyclonedds.topic import Topic

from robodistill.ros.bindings.dds.library import ANY, DdsError, delete, read_condition, write
from robodistill.ros.bindings.dds.qos import to_dds
from robodistill.ros.bindings.dds.settings import configuration
from robodistill.ros.bindings.dds.types import wire_type
from robodistill.ros.bindings.idl.rihs import type_hash
from robodistill.ros.bindings.rclpy.qos import QoSProfile

_domains: dict[int, Domain] = {}
_domains_lock = threading.Lock()


@dataclass(eq=False)
class Writer:
    """A writer of CDR bytes."""

    entity: DataWriter
    gid: bytes
    """16 bytes, the DDS GUID."""

    @property
    def handle(self) -> int:
        """The instance handle by which local readers know it."""
        return self.entity.get_instance_handle()

    def write(self, data: bytes) -> None:
        """Send."""
        write(self.entity._ref, data)

    def matched(self) -> list[int]:
        """Handles of matched readers."""
        return self.entity.get_matched_subscriptions()

    def matched_data(self, handle: int) -> DcpsEndpoint | None:
        """What a matched reader announced."""
        return self.entity.get_matched_subscription_data(handle)

    def close(self) -> None:
        """Delete it."""
        delete(self.entity)


@dataclass(eq=False)
class Reader:
    """A reader of CDR bytes."""

    entity: DataReader
    gid: bytes
    condition: int
    """True while there is something to take."""

    def take(self, count: int = 1) -> list[tuple[bytes, object]]:
        """(bytes, info) of what has come, oldest first."""
        found = ddspy_take(self.entity._ref, ANY, count)
        if isinstance(found, int):
            raise DdsError(f"Cyclone DDS could not take (code {found})")
        return [(data, info) for data, info in found if info.valid_data]

    def matched(self) -> list[int]:
        """Handles of matched writers."""
        return self.entity.get_matched_publications()

    def matched_data(self, handle: int) -> DcpsEndpoint | None:
        """What a matched writer announced."""
        return self.entity.get_matched_publication_data(handle)

    def close(self) -> None:
        """Delete it."""
        delete(self.entity)


class Participant:
    """The participant of a context."""

    def __init__(self, domain_id: int) -> None:
        with _domains_lock:
            if domain_id not in _domains:
                _domains[domain_id] = Domain(domain_id, configuration())
        self.entity = DomainParticipant(domain_id, Qos(Policy.Userdata(b"enclave=/;")))
        self.gid = self.entity.guid.bytes
        self._publisher, self._subscriber = Publisher(self.entity), Subscriber(self.entity)
        self._topics: dict[tuple[str, str], Topic] = {}
        self._lock = threading.Lock()

    def writer(self, topic: str, kind: str, profile: QoSProfile, ids: str = "") -> Writer:
        """Announce a writer.

        Args:
            topic: On the wire, such as rt/chatter.
            kind: Of the structure, such as std_msgs/msg/String.
            ids: What stands before the hash in its user data.
        """
        qos = to_dds(profile, f"{ids}typehash={type_hash(kind)};", writer=True)
        entity = DataWriter(self._publisher, self._topic(topic, kind), qos)
        return Writer(entity, entity.guid.bytes)

    def reader(self, topic: str, kind: str, profile: QoSProfile, ids: str = "", ignore_local: bool = False) -> Reader:
        """Announce a reader; as `writer`."""
        qos = to_dds(profile, f"{ids}typehash={type_hash(kind)};", ignore_local)
        entity = DataReader(self._subscriber, self._topic(topic, kind), qos)
        return Reader(entity, entity.guid.bytes, read_condition(entity))

    def close(self) -> None:
        """Leave the network."""
        entities: list[Entity] = [*self._topics.values(), self._publisher, self._subscriber]
        delete(self.entity)
        for entity in entities:  # gone with their participant; only the Python side is left to forget
            Entity._entities.pop(entity._ref, None)

    def _topic(self, name: str, kind: str) -> Topic:
        with self._lock:
            if (name, kind) not in self._topics:
                asked = name.startswith(("rq/", "rr/"))
                self._topics[name, kind] = Topic(self.entity, name, wire_type(kind, asked))
            return self._topics[name, kind]
