"""QoS profiles of ROS 2 to those of DDS and back, as rmw_cyclonedds does it."""

from cyclonedds.qos import Policy, Qos

from robodistill.ros.bindings.dds.library import INFINITE
from robodistill.ros.bindings.rclpy.qos import (
    DurabilityPolicy,
    Duration,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

_UNLIMITED = -1


def to_dds(profile: QoSProfile, user_data: str, ignore_local: bool = False, writer: bool = False) -> Qos:
    """Policies of a reader or writer.

    What is "system default" or "best available" takes what DDS has by default for writers, and what matches any writer
    for readers.
    """
    keep_all = profile.history == HistoryPolicy.KEEP_ALL
    history = Policy.History.KeepAll if keep_all else Policy.History.KeepLast(max(1, profile.depth))
    best_effort = profile.reliability == ReliabilityPolicy.BEST_EFFORT
    if profile.reliability in (ReliabilityPolicy.BEST_AVAILABLE, ReliabilityPolicy.SYSTEM_DEFAULT):
        best_effort = not writer
    policies = [
        history,
        Policy.Reliability.BestEffort if best_effort else Policy.Reliability.Reliable(INFINITE),
        Policy.Userdata(user_data.encode()),
        # version 0 only, as both rmw ask for
        Policy.DataRepresentation(use_cdrv0_representation=True, use_xcdrv2_representation=False),
    ]
    if profile.durability == DurabilityPolicy.TRANSIENT_LOCAL:
        policies.append(Policy.Durability.TransientLocal)
        policies.append(Policy.DurabilityService(0, history, _UNLIMITED, _UNLIMITED, _UNLIMITED))
    else:
        policies.append(Policy.Durability.Volatile)
    if writer:
        policies.append(Policy.WriterDataLifecycle(autodispose=False))
    if profile.lifespan.nanoseconds and writer:
        policies.append(Policy.Lifespan(profile.lifespan.nanoseconds))
    if profile.deadline.nanoseconds:
        policies.append(Policy.Deadline(profile.deadline.nanoseconds))
    lease = profile.liveliness_lease_duration.nanoseconds or INFINITE
    if profile.liveliness == LivelinessPolicy.MANUAL_BY_TOPIC:
        policies.append(Policy.Liveliness.ManualByTopic(lease))
    elif lease != INFINITE:
        policies.append(Policy.Liveliness.Automatic(lease))
    if ignore_local:
        policies.append(Policy.IgnoreLocal.Participant)
    return Qos(*policies)


def from_dds(qos: Qos) -> QoSProfile:
    """What an endpoint announced."""
    history, reliability = qos[Policy.History], qos[Policy.Reliability]
    durability, lifespan, deadline = qos[Policy.Durability], qos[Policy.Lifespan], qos[Policy.Deadline]
    keeps = isinstance(history, Policy.History.KeepLast)
    reliable = isinstance(reliability, Policy.Reliability.Reliable)
    local = durability is Policy.Durability.TransientLocal
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST if keeps else HistoryPolicy.UNKNOWN,
        depth=history.depth if keeps else 0,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if local else DurabilityPolicy.VOLATILE,
        lifespan=_duration(lifespan.lifespan if lifespan else 0),
        deadline=_duration(deadline.deadline if deadline else 0),
        liveliness=LivelinessPolicy.AUTOMATIC,
    )


def _duration(nanoseconds: int) -> Duration:
    return Duration(nanoseconds=0 if nanoseconds == INFINITE else nanoseconds)
