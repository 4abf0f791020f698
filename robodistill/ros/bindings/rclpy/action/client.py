"""Action clients, as rclpy.action.client."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np

from robodistill.ros.bindings.idl.classes import message_class, service_type
from robodistill.ros.bindings.rclpy.qos import QoSProfile, qos_profile_action_status_default
from robodistill.ros.bindings.rclpy.task import Future


class ClientGoalHandle:
    """A goal that was sent."""

    def __init__(self, client: "ActionClient", goal_id: Any, response: Any) -> None:
        self._client, self._goal_id, self._response = client, goal_id, response
        self._status = 0

    @property
    def goal_id(self) -> Any:
        """Its UUID."""
        return self._goal_id

    @property
    def stamp(self) -> Any:
        """When it was accepted."""
        return self._response.stamp

    @property
    def accepted(self) -> bool:
        """Whether the server works at it."""
        return self._response.accepted

    @property
    def status(self) -> int:
        """What was last heard, as action_msgs/msg/GoalStatus."""
        return self._status

    def get_result_async(self) -> Future:
        """The result, with `status` and `result`, when there is one."""
        Request = self._client.action_type.Impl.GetResultService.Request
        return self._client._result.call_async(Request(goal_id=self._goal_id))

    def cancel_goal_async(self) -> Future:
        """Ask the server to stop."""
        Request = service_type("action_msgs/srv/CancelGoal").Request
        info = message_class("action_msgs/msg/GoalInfo")(goal_id=self._goal_id)
        return self._client._cancel.call_async(Request(goal_info=info))

    def get_result(self) -> Any:
        """The result; another thread must spin."""
        return _wait(self.get_result_async(), self._client._node)

    def cancel_goal(self) -> Any:
        """Ask the server to stop; another thread must spin."""
        return _wait(self.cancel_goal_async(), self._client._node)


def _wait(future: Future, node: Any) -> Any:
    while not future.wait(0.1):
        if not node.context.ok():
            return None
    return future.result()


class ActionClient:
    """Sends goals."""

    def __init__(
        self,
        node: Any,
        action_type: Any,
        action_name: str,
        *,
        callback_group: Any = None,
        feedback_sub_qos_profile: QoSProfile | None = None,
        status_sub_qos_profile: QoSProfile = qos_profile_action_status_default,
        **_: Any,
    ) -> None:
        self._node, self.action_type, self._name = node, action_type, action_name
        # before anything can be heard
        self._listeners: dict[bytes, Callable] = {}
        self._handles: dict[bytes, ClientGoalHandle] = {}
        impl, hidden = action_type.Impl, f"{action_name}/_action"
        kept = {"callback_group": callback_group}
        self._send = node.create_client(impl.SendGoalService, f"{hidden}/send_goal", **kept)
        self._result = node.create_client(impl.GetResultService, f"{hidden}/get_result", **kept)
        self._cancel = node.create_client(service_type("action_msgs/srv/CancelGoal"), f"{hidden}/cancel_goal", **kept)
        qos = feedback_sub_qos_profile or QoSProfile(depth=10)
        self._feedback = node.create_subscription(
            impl.FeedbackMessage, f"{hidden}/feedback", self._on_feedback, qos, **kept
        )
        self._status = node.create_subscription(
            impl.GoalStatusMessage, f"{hidden}/status", self._on_status, status_sub_qos_profile, **kept
        )

    def send_goal_async(self, goal: Any, feedback_callback: Callable | None = None, goal_uuid: Any = None) -> Future:
        """Send a goal; the future gives its handle once the server has answered."""
        if not isinstance(goal, self.action_type.Goal):
            raise TypeError(f"Expected {self.action_type._name} goal, got {type(goal).__name__}")
        UUID = message_class("unique_identifier_msgs/msg/UUID")
        goal_id = goal_uuid or UUID(uuid=np.frombuffer(uuid.uuid4().bytes, np.uint8))
        key = bytes(goal_id.uuid)
        if feedback_callback is not None:
            self._listeners[key] = feedback_callback
        outer = Future(executor=self._node.executor)
        inner = self._send.call_async(self.action_type.Impl.SendGoalService.Request(goal_id=goal_id, goal=goal))

        def answered(future: Future) -> None:
            if future.exception() is not None:
                outer.set_exception(future.exception())
                return
            handle = ClientGoalHandle(self, goal_id, future.result())
            if handle.accepted:
                self._handles[key] = handle
            else:
                self._listeners.pop(key, None)
            outer.set_result(handle)

        inner.add_done_callback(answered)
        return outer

    def send_goal(self, goal: Any, **options: Any) -> Any:
        """Send a goal and wait for its result; another thread must spin. None where it was not accepted."""
        handle = _wait(self.send_goal_async(goal, **options), self._node)
        return handle.get_result() if handle is not None and handle.accepted else None

    def server_is_ready(self) -> bool:
        """Whether a server is there, with all of its parts."""
        services = all(client.service_is_ready() for client in (self._send, self._result, self._cancel))
        return services and self._feedback.get_publisher_count() > 0 and self._status.get_publisher_count() > 0

    def wait_for_server(self, timeout_sec: float | None = None) -> bool:
        """Until one is there."""
        end = None if timeout_sec is None else time.monotonic() + timeout_sec
        while self._node.context.ok():
            if self.server_is_ready():
                return True
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(0.05)
        return False

    def destroy(self) -> None:
        """Take it off the network."""
        for entity in (self._send, self._result, self._cancel, self._feedback, self._status):
            entity.destroy()

    def _on_feedback(self, message: Any) -> None:
        listener = self._listeners.get(bytes(message.goal_id.uuid))
        if listener is not None:
            listener(message)

    def _on_status(self, message: Any) -> None:
        for entry in message.status_list:
            key = bytes(entry.goal_info.goal_id.uuid)
            if key in self._handles:
                self._handles[key]._status = entry.status
                if entry.status in (4, 5, 6):
                    self._handles.pop(key)
                    self._listeners.pop(key, None)
