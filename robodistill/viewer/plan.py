"""A plan on a page: two arms repeat a motion, what they hold moves with them, the film runs beside them."""

import numpy as np

from robodistill.errors import BadInput
from robodistill.planning.task import make_task
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.viewer.cameras import wxyz_xyz
from robodistill.viewer.motion import MotionActor
from robodistill.viewer.page import Page
from robodistill.viewer.robot import ShownRobot, TrajectoryActor


class PlanActor:
    """The robot stands where the plan wants the object, which is where the page shows its field."""

    def __init__(self, name: str, plan: BimanualTrajectory, page: Page) -> None:
        """Show the robot.

        Raises:
            BadInput: There is no robot of that name, or no motion with the plan's parts on the page.
        """
        self.name, self._plan = name, plan
        fitting = [actor for actor in page.motions if actor.motion.parts == plan.parts]
        if not fitting:
            given = "; ".join(", ".join(actor.motion.parts) for actor in page.motions) or "there is none"
            raise BadInput(
                f"the plan moves {', '.join(plan.parts)}; motions on this page: {given}. Open its motion too"
            )
        self._motion: MotionActor = fitting[0]
        self._task = make_task(self._motion.motion, np.eye(4), plan.base == "carried")
        self._robot = TrajectoryActor(name, plan.motion, page, lambda robot: ShownRobot(page, name, robot))
        self.root = self._robot.shown.root
        self.root.wxyz, self.root.position = wxyz_xyz(np.linalg.inv(plan.T_world_object))
        self.duration = plan.duration

    def go(self, seconds: float) -> str:
        """Pose the robot and the parts."""
        words = self._robot.go(seconds)
        now = seconds + self._plan.motion.times[0]
        self._motion.place(self._task.at(np.atleast_1d(self._plan.progress_at(now)))[0])
        holds = [hold for hold in self._plan.holds if hold.start <= now <= hold.end]
        held = [f"{hold.arm} holds {self._plan.parts[hold.part]}" for hold in holds]
        return f"{words}\n\n{', '.join(held) or 'nothing is held'}"

    def picture(self, seconds: float) -> np.ndarray | None:
        """The film at what is repeated now."""
        shown = self._plan.progress_at(seconds + self._plan.motion.times[0])
        return self._motion.picture(float(shown) + self._task.begins - float(self._motion.motion.times[0]))
