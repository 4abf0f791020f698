"""`robodistill replay-bag`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class ReplayBag(Verb):
    """Send a rosbag2 or MCAP recording as live ROS 2 topics, with or without a ROS installation."""

    bag: tyro.conf.Positional[Path] = tyro.MISSING
    """A bag folder, or an .mcap or .db3 file."""
    rate: float = 1.0
    """Speed relative to the recording."""
    loop: bool = False
    """Begin again at the end."""
    topics: tuple[str, ...] = ()
    """Only these."""
    clock: bool = False
    """Tell the recording's time on /clock."""
    delay: float = 1.0
    """Seconds before the first message, in which subscribers are found."""
    remap: tuple[str, ...] = ()
    """from:=to."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.ros.replay`."""
        from robodistill.ros.replay import replay_bag

        sent = replay_bag(
            self.bag,
            rate=self.rate,
            loop=self.loop,
            topics=self.topics,
            clock=self.clock,
            delay=self.delay,
            remaps=self.remap,
            progress=console.progress,
        )
        return {"messages": sent.messages, "seconds": round(sent.seconds, 3)}

    def lines(self, result: dict[str, Any]) -> list[str]:
        """What was sent."""
        return [f"{topic}: {count} messages" for topic, count in result["messages"].items()]
