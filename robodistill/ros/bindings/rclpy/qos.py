"""QoS profiles, as rclpy.qos."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum

from robodistill.ros.bindings.rclpy.duration import Duration


class QoSPolicyEnum(IntEnum):
    """Base: values have short keys."""

    @classmethod
    def short_keys(cls) -> list[str]:
        """Names in lower case."""
        return [name.lower() for name in cls.__members__]

    @classmethod
    def get_from_short_key(cls, name: str) -> "QoSPolicyEnum":
        """The value of a short key."""
        return cls[name.upper()]

    @property
    def short_key(self) -> str:
        """Its own."""
        return self.name.lower()


class HistoryPolicy(QoSPolicyEnum):
    """How much is kept."""

    SYSTEM_DEFAULT = 0
    KEEP_LAST = 1
    KEEP_ALL = 2
    UNKNOWN = 3


class ReliabilityPolicy(QoSPolicyEnum):
    """Whether what was lost is sent again."""

    SYSTEM_DEFAULT = 0
    RELIABLE = 1
    BEST_EFFORT = 2
    UNKNOWN = 3
    BEST_AVAILABLE = 4


class DurabilityPolicy(QoSPolicyEnum):
    """Whether late readers get what was sent before."""

    SYSTEM_DEFAULT = 0
    TRANSIENT_LOCAL = 1
    VOLATILE = 2
    UNKNOWN = 3
    BEST_AVAILABLE = 4


class LivelinessPolicy(QoSPolicyEnum):
    """Who says that a writer is alive."""

    SYSTEM_DEFAULT = 0
    AUTOMATIC = 1
    MANUAL_BY_TOPIC = 3
    UNKNOWN = 4
    BEST_AVAILABLE = 5


QoSHistoryPolicy, QoSReliabilityPolicy = HistoryPolicy, ReliabilityPolicy
QoSDurabilityPolicy, QoSLivelinessPolicy = DurabilityPolicy, LivelinessPolicy


class InvalidQoSProfileException(Exception):
    """A profile does not say enough."""


@dataclass
class QoSProfile:
    """Quality of service; either `depth` or `history` is needed, as in rclpy."""

    history: HistoryPolicy | None = None
    depth: int | None = None
    reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE
    lifespan: Duration = field(default_factory=Duration)
    deadline: Duration = field(default_factory=Duration)
    liveliness: LivelinessPolicy = LivelinessPolicy.SYSTEM_DEFAULT
    liveliness_lease_duration: Duration = field(default_factory=Duration)
    avoid_ros_namespace_conventions: bool = False

    def __post_init__(self) -> None:
        if self.history is None and self.depth is None:
            raise InvalidQoSProfileException("History and/or depth settings are required.")
        if self.history is None:
            self.history = HistoryPolicy.KEEP_LAST
        if self.depth is None:
            if self.history == HistoryPolicy.KEEP_LAST:
                raise InvalidQoSProfileException("History set to KEEP_LAST without a depth setting.")
            self.depth = 0

    @classmethod
    def get_from_short_key(cls, name: str) -> "QoSProfile":
        """A preset by name, such as sensor_data."""
        return QoSPresetProfiles[name.upper()].value


def _fresh(**values: object) -> QoSProfile:
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, **values)


qos_profile_default = _fresh(depth=10)
qos_profile_system_default = QoSProfile(
    history=HistoryPolicy.SYSTEM_DEFAULT,
    depth=10,
    reliability=ReliabilityPolicy.SYSTEM_DEFAULT,
    durability=DurabilityPolicy.SYSTEM_DEFAULT,
)
qos_profile_sensor_data = _fresh(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
qos_profile_services_default = _fresh(depth=10)
qos_profile_parameters = _fresh(depth=1000)
qos_profile_parameter_events = _fresh(depth=1000)
qos_profile_action_status_default = _fresh(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
qos_profile_best_available = _fresh(
    depth=10, reliability=ReliabilityPolicy.BEST_AVAILABLE, durability=DurabilityPolicy.BEST_AVAILABLE
)
qos_profile_rosout = _fresh(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL, lifespan=Duration(seconds=10))


class QoSPresetProfiles(Enum):
    """The presets by name."""

    DEFAULT = qos_profile_default
    SYSTEM_DEFAULT = qos_profile_system_default
    SENSOR_DATA = qos_profile_sensor_data
    SERVICES_DEFAULT = qos_profile_services_default
    PARAMETERS = qos_profile_parameters
    PARAMETER_EVENTS = qos_profile_parameter_events
    ACTION_STATUS_DEFAULT = qos_profile_action_status_default
    BEST_AVAILABLE = qos_profile_best_available

    @staticmethod
    def get_from_short_key(name: str) -> QoSProfile:
        """A preset by its name in lower case."""
        return QoSPresetProfiles[name.upper()].value


def as_profile(qos: QoSProfile | int) -> QoSProfile:
    """A number is a depth."""
    if isinstance(qos, int) and not isinstance(qos, bool) and qos >= 0:
        return _fresh(depth=qos)
    if not isinstance(qos, QoSProfile):
        raise TypeError(f"Expected QoSProfile or int, but received {type(qos)!r}")
    return qos
