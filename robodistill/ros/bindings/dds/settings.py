"""Which domain, which network: the environment variables of ROS 2, as configuration of Cyclone DDS."""

import os
from collections.abc import Mapping

_LOOPBACK = '<Interfaces><NetworkInterface address="127.0.0.1"/></Interfaces>'


def domain_id(environment: Mapping[str, str] | None = None) -> int:
    """ROS_DOMAIN_ID, 0 where it is not set.

    Raises:
        ValueError: Not a number from 0 to 232.
    """
    text = (os.environ if environment is None else environment).get("ROS_DOMAIN_ID") or "0"
    if not text.isdecimal() or int(text) > 232:
        raise ValueError(f"ROS_DOMAIN_ID {text!r}: a number from 0 to 232 is needed")
    return int(text)


def configuration(environment: Mapping[str, str] | None = None) -> str:
    """XML for Cyclone DDS; the user's CYCLONEDDS_URI comes last, so that it wins.

    Fragments and socket buffers are larger than Cyclone's own where the user says nothing: with those, an image of a
    megabyte is a thousand datagrams, and bursts of them are lost.
    """
    environment = os.environ if environment is None else environment
    uri = environment.get("CYCLONEDDS_URI", "")
    only_here = environment.get("ROS_LOCALHOST_ONLY", "") == "1"
    reach = "LOCALHOST" if only_here else environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET").upper()
    peers = [] if only_here else [peer for peer in environment.get("ROS_STATIC_PEERS", "").split(";") if peer]
    general, discovery = "", ""
    if reach in ("LOCALHOST", "OFF"):
        general += (_LOOPBACK if only_here else "") + "<AllowMulticast>false</AllowMulticast>"
    if reach == "LOCALHOST":
        peers.append("localhost")
    if reach == "LOCALHOST" or peers:
        discovery += "<ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>32</MaxAutoParticipantIndex>"
    if peers:
        discovery += "<Peers>" + "".join(f'<Peer address="{peer}"/>' for peer in peers) + "</Peers>"
    tuned = "<MaxMessageSize>65500B</MaxMessageSize><FragmentSize>63000B</FragmentSize>"
    buffers = '<Internal><SocketReceiveBufferSize max="10MB"/></Internal>'
    if uri:
        tuned = buffers = ""
    xml = f"<General>{general}{tuned}</General><Discovery>{discovery}</Discovery>{buffers}"
    own = f'<CycloneDDS><Domain id="any">{xml}</Domain></CycloneDDS>'
    return f"{own},{uri}" if uri else own
