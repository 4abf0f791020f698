"""Action servers, as rclpy.action.server: three services and two topics (design.ros2.org, actions)."""

import threading
import time
import traceback
from collections.abc import Callable
from enum import Enum
from typing import Any

from robodistill.ros.bindings.idl.classes import message_class, service_type
from robodistill.ros.bindings.rclpy.qos import (
    QoSProfile,
    qos_profile_action_status_default,
    qos_profile_services_default,
)
from robodistill.ros.bindings.rclpy.task import Future

STATUS_UNKNOWN, ACCEPTED, EXECUTING, CANCELING, SUCCEEDED, CANCELED, ABORTED = range(7)
"""As action_msgs/msg/GoalStatus."""
_ENDED = (SUCCEEDED, CANCELED, ABORTED)


class GoalResponse(Enum):
    """What becomes of a goal."""

    REJECT = 1
    ACCEPT = 2


class CancelResponse(Enum):
    """What becomes of a wish to cancel."""

    REJECT = 1
    ACCEPT = 2


class ServerGoalHandle:
    """A goal that was accepted."""

    def __init__(self, server: "ActionServer", goal_id: Any, request: Any, stamp: Any) -> None:
        self._server, self._goal_id, self._request, self._stamp = server, goal_id, request, stamp
        self._status = ACCEPTED
        self._result: Future = Future()
        self._lock = threading.Lock()
        self._ended_at: float | None = None

    @property
    def request(self) -> Any:
        """The goal."""
        return self._request

    @property
    def goal_id(self) -> Any:
        """Its UUID."""
        return self._goal_id

    @property
    def status(self) -> int:
        """As action_msgs/msg/GoalStatus."""
        return self._status

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self._status not in _ENDED

    @property
    def is_cancel_requested(self) -> bool:
        """Whether it is to stop."""
        return self._status == CANCELING

    def _change(self, status: int, allowed: tuple[int, ...]) -> None:
        with self._lock:
            if self._status not in allowed:
                raise RuntimeError(f"a goal with status {self._status} cannot get status {status}")
            self._status = status
            if status in _ENDED:
                self._ended_at = time.monotonic()
        self._server._publish_status()

    def execute(self, execute_callback: Callable | None = None) -> None:
        """Begin."""
        if not self.is_cancel_requested:
            self._change(EXECUTING, (ACCEPTED,))
        self._server._start(self, execute_callback)

    def publish_feedback(self, feedback: Any) -> None:
        """Tell how far it is."""
        if not isinstance(feedback, self._server.action_type.Feedback):
            raise TypeError(f"Expected {self._server.action_type._name} feedback, got {type(feedback).__name__}")
        if self.is_active:
            message = self._server._feedback_type(goal_id=self._goal_id, feedback=feedback)
            self._server._feedback.publish(message)

    def succeed(self) -> None:
        """It is done."""
        self._change(SUCCEEDED, (EXECUTING, CANCELING))

    def abort(self) -> None:
        """It failed."""
        self._change(ABORTED, (EXECUTING, CANCELING))

    def canceled(self) -> None:
        """It was stopped."""
        self._change(CANCELED, (CANCELING,))

    def destroy(self) -> None:
        """Nothing is held."""


def _accept_goal(_: Any) -> GoalResponse:
    return GoalResponse.ACCEPT


def _reject_cancel(_: Any) -> CancelResponse:
    return CancelResponse.REJECT


class ActionServer:
    """Accepts goals and works at them. Each goal runs as a task of the node's executor."""

    def __init__(
        self,
        node: Any,
        action_type: Any,
        action_name: str,
        execute_callback: Callable,
        *,
        callback_group: Any = None,
        goal_callback: Callable = _accept_goal,
        handle_accepted_callback: Callable | None = None,
        cancel_callback: Callable = _reject_cancel,
        goal_service_qos_profile: QoSProfile = qos_profile_services_default,
        result_service_qos_profile: QoSProfile = qos_profile_services_default,
        cancel_service_qos_profile: QoSProfile = qos_profile_services_default,
        feedback_pub_qos_profile: QoSProfile | None = None,
        status_pub_qos_profile: QoSProfile = qos_profile_action_status_default,
        result_timeout: float = 10,
    ) -> None:
        self._node, self.action_type, self._name = node, action_type, action_name
        self._group = callback_group or node.default_callback_group
        self._execute_callback, self._goal_callback = execute_callback, goal_callback
        self._accepted_callback = handle_accepted_callback or (lambda handle: handle.execute())
        self._cancel_callback, self._result_timeout = cancel_callback, result_timeout
        self._goals: dict[bytes, ServerGoalHandle] = {}
        self._lock = threading.RLock()
        impl, hidden = action_type.Impl, f"{action_name}/_action"
        self._feedback_type = impl.FeedbackMessage
        kept = {"callback_group": self._group}
        qos = feedback_pub_qos_profile or QoSProfile(depth=10)
        self._feedback = node.create_publisher(impl.FeedbackMessage, f"{hidden}/feedback", qos)
        self._status = node.create_publisher(impl.GoalStatusMessage, f"{hidden}/status", status_pub_qos_profile)
        self._services = [
            node.create_service(
                impl.SendGoalService, f"{hidden}/send_goal", self._on_goal, qos_profile=goal_service_qos_profile, **kept
            ),
            node.create_service(
                service_type("action_msgs/srv/CancelGoal"),
                f"{hidden}/cancel_goal",
                self._on_cancel,
                qos_profile=cancel_service_qos_profile,
                **kept,
            ),
            node.create_service(
                impl.GetResultService,
                f"{hidden}/get_result",
                self._on_result,
                qos_profile=result_service_qos_profile,
                **kept,
            ),
        ]

    def register_goal_callback(self, goal_callback: Callable | None) -> None:
        """Decides about goals."""
        self._goal_callback = goal_callback or _accept_goal

    def register_cancel_callback(self, cancel_callback: Callable | None) -> None:
        """Decides about wishes to cancel."""
        self._cancel_callback = cancel_callback or _reject_cancel

    def register_execute_callback(self, execute_callback: Callable) -> None:
        """Works at goals."""
        self._execute_callback = execute_callback

    def register_handle_accepted_callback(self, handle_accepted_callback: Callable | None) -> None:
        """Decides when a goal begins."""
        self._accepted_callback = handle_accepted_callback or (lambda handle: handle.execute())

    def destroy(self) -> None:
        """Take it off the network."""
        for entity in (*self._services, self._feedback, self._status):
            entity.destroy()

    # --- what is asked

    def _on_goal(self, request: Any, response: Any) -> Any:
        key = bytes(request.goal_id.uuid)
        response.stamp = self._node.get_clock().now().to_msg()
        if key in self._goals:
            return response
        try:
            verdict = self._goal_callback(request.goal)
        except Exception:
            self._node.get_logger().error(f"Error raised in goal callback: {traceback.format_exc()}")
            return response
        if not isinstance(verdict, GoalResponse) or verdict != GoalResponse.ACCEPT:
            return response
        response.accepted = True
        handle = ServerGoalHandle(self, request.goal_id, request.goal, response.stamp)
        with self._lock:
            self._forget_old()
            self._goals[key] = handle
        self._publish_status()
        # after the answer has gone: the client must know the goal before it hears of its end
        self._node.executor.create_task(self._accepted_callback, handle)
        return response

    def _start(self, handle: ServerGoalHandle, callback: Callable | None) -> None:
        self._node.executor.create_task(self._work(handle, callback or self._execute_callback))

    async def _work(self, handle: ServerGoalHandle, callback: Callable) -> None:
        import inspect

        try:
            result = callback(handle)
            if inspect.isawaitable(result):
                result = await result
        except Exception:
            self._node.get_logger().error(f"Error raised in execute callback: {traceback.format_exc()}")
            result = self.action_type.Result()
        if handle.is_active:
            self._node.get_logger().warning("Goal state not set, assuming aborted.")
            with handle._lock:
                handle._status, handle._ended_at = ABORTED, time.monotonic()
            self._publish_status()
        if result is None:
            result = self.action_type.Result()
        handle._result.set_result(result)

    async def _on_result(self, request: Any, response: Any) -> Any:
        handle = self._goals.get(bytes(request.goal_id.uuid))
        if handle is None:
            return response  # status unknown
        response.result = await handle._result
        response.status = handle.status
        return response

    def _on_cancel(self, request: Any, response: Any) -> Any:
        """One goal, all, or all up to a stamp: action_msgs/srv/CancelGoal."""
        asked, stamp = bytes(request.goal_info.goal_id.uuid), request.goal_info.stamp
        until = (stamp.sec, stamp.nanosec)
        one, timed = any(asked), any(until)
        chosen = [
            handle
            for key, handle in list(self._goals.items())
            if key == asked
            or (not one and not timed)
            or (timed and (handle._stamp.sec, handle._stamp.nanosec) <= until)
        ]
        if one and not timed and not chosen:
            response.return_code = response.ERROR_UNKNOWN_GOAL_ID
            return response
        active = [handle for handle in chosen if handle.is_active]
        if one and chosen and not active:
            response.return_code = response.ERROR_GOAL_TERMINATED
            return response
        Info = message_class("action_msgs/msg/GoalInfo")
        for handle in active:
            if self._cancel_callback(handle) == CancelResponse.ACCEPT:
                if not handle.is_cancel_requested:
                    handle._change(CANCELING, (ACCEPTED, EXECUTING))
                response.goals_canceling.append(Info(goal_id=handle.goal_id, stamp=handle._stamp))
        if not response.goals_canceling:
            response.return_code = response.ERROR_REJECTED
        return response

    def _publish_status(self) -> None:
        Info, Status = (message_class(f"action_msgs/msg/{part}") for part in ("GoalInfo", "GoalStatus"))
        with self._lock:
            told = [
                Status(goal_info=Info(goal_id=handle.goal_id, stamp=handle._stamp), status=handle.status)
                for handle in self._goals.values()
            ]
            if self._status._alive and self._node.context.ok():
                self._status.publish(self.action_type.Impl.GoalStatusMessage(status_list=told))

    def _forget_old(self) -> None:
        now = time.monotonic()
        for key, handle in list(self._goals.items()):
            if handle._ended_at is not None and now - handle._ended_at > self._result_timeout:
                del self._goals[key]
