"""Actions, as launch.actions."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from robodistill.ros.bindings.launch.action import Action
from robodistill.ros.bindings.launch.events import Shutdown as ShutdownEvent
from robodistill.ros.bindings.launch.substitution import perform

log = logging.getLogger("launch")


class DeclareLaunchArgument(Action):
    """An argument that the user may give."""

    def __init__(
        self,
        name: str,
        *,
        default_value: Any = None,
        description: str | None = None,
        choices: Iterable[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.name, self.default_value, self.description = name, default_value, description or "no description given"
        self.choices = None if choices is None else list(choices)

    def execute(self, context: Any) -> None:
        """Take its value.

        Raises:
            RuntimeError: It has none, or one that is not among its choices.
        """
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise RuntimeError(f"argument '{self.name}' is needed: {self.description}; give {self.name}:=VALUE")
            context.launch_configurations[self.name] = perform(self.default_value, context)
        value = context.launch_configurations[self.name]
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(f"argument {self.name}:={value}: one of {', '.join(self.choices)} is needed")


class SetLaunchConfiguration(Action):
    """An argument's value from now on."""

    def __init__(self, name: Any, value: Any, **options: Any) -> None:
        super().__init__(**options)
        self.name, self.value = name, value

    def execute(self, context: Any) -> None:
        """Set it."""
        context.launch_configurations[perform(self.name, context)] = perform(self.value, context)


class SetEnvironmentVariable(Action):
    """A variable of the environment from now on."""

    def __init__(self, name: Any, value: Any, **options: Any) -> None:
        super().__init__(**options)
        self.name, self.value = name, value

    def execute(self, context: Any) -> None:
        """Set it."""
        context.environment[perform(self.name, context)] = perform(self.value, context)


class LogInfo(Action):
    """Tell something."""

    def __init__(self, *, msg: Any, **options: Any) -> None:
        super().__init__(**options)
        self.msg = msg

    def execute(self, context: Any) -> None:
        """Tell it."""
        context.service.tell(perform(self.msg, context))


class GroupAction(Action):
    """Several, in a scope of their own."""

    def __init__(
        self,
        actions: Iterable[Any],
        *,
        scoped: bool = True,
        forwarding: bool = True,
        launch_configurations: dict | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.actions, self._scoped, self._set = list(actions), scoped, launch_configurations or {}

    def execute(self, context: Any) -> None:
        """Do them."""
        if self._scoped:
            context.push()
        try:
            for name, value in self._set.items():
                context.launch_configurations[perform(name, context)] = perform(value, context)
            for action in self.actions:
                action.visit(context)
        finally:
            if self._scoped:
                context.pop()


class IncludeLaunchDescription(Action):
    """Another launch file."""

    def __init__(self, launch_description_source: Any, *, launch_arguments: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._source = launch_description_source
        self._arguments = list(
            launch_arguments.items() if isinstance(launch_arguments, dict) else launch_arguments or []
        )

    def execute(self, context: Any) -> None:
        """Carry it out, with its own arguments."""
        from robodistill.ros.bindings.launch.launch_description_sources import load_description

        path = self._source.path(context)
        before = context.locals["file"]
        for name, value in self._arguments:
            context.launch_configurations[perform(name, context)] = perform(value, context)
        context.locals["file"] = path
        try:
            load_description(path).visit(context)
        finally:
            context.locals["file"] = before


class OpaqueFunction(Action):
    """A function that returns further actions."""

    def __init__(self, *, function: Callable, args: Iterable | None = None, kwargs: dict | None = None, **options: Any):
        super().__init__(**options)
        self._function, self._args, self._kwargs = function, list(args or ()), kwargs or {}

    def execute(self, context: Any) -> Iterable[Any] | None:
        """Call it."""
        return self._function(context, *self._args, **self._kwargs)


class TimerAction(Action):
    """Actions, later."""

    def __init__(self, *, period: Any, actions: Iterable[Any], **options: Any) -> None:
        super().__init__(**options)
        self._period, self.actions = period, list(actions)

    def execute(self, context: Any) -> None:
        """Arrange it; they see what is set now."""
        now = (dict(context.launch_configurations), dict(context.environment), dict(context.locals))

        def do() -> None:
            context.push()
            context.launch_configurations, context.environment, context.locals = now
            try:
                for action in self.actions:
                    action.visit(context)
            finally:
                context.pop()

        context.later(float(perform(self._period, context)), do)


class RegisterEventHandler(Action):
    """Do something when something happens."""

    def __init__(self, event_handler: Any, **options: Any) -> None:
        super().__init__(**options)
        self._handler = event_handler

    def execute(self, context: Any) -> None:
        """Remember it."""
        context.handlers.append(self._handler)


class EmitEvent(Action):
    """Something happens."""

    def __init__(self, *, event: Any, **options: Any) -> None:
        super().__init__(**options)
        self._event = event

    def execute(self, context: Any) -> None:
        """Let it."""
        context.service.happen(self._event)


class Shutdown(EmitEvent):
    """End all."""

    def __init__(self, *, reason: Any = "reason not given", **options: Any) -> None:
        super().__init__(event=ShutdownEvent(str(reason)), **options)


class ExecuteProcess(Action):
    """Start a program."""

    def __init__(
        self,
        *,
        cmd: Iterable[Any],
        name: Any = None,
        cwd: Any = None,
        env: dict | None = None,
        additional_env: dict | None = None,
        output: Any = "log",
        respawn: Any = False,
        respawn_delay: float | None = None,
        sigterm_timeout: Any = 5,
        sigkill_timeout: Any = 5,
        on_exit: Any = None,
        shell: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(condition=options.pop("condition", None))
        self.cmd, self.name, self.cwd, self.env, self.additional_env = list(cmd), name, cwd, env, additional_env
        self.output, self.respawn, self.respawn_delay = output, respawn, respawn_delay
        self.sigterm_timeout, self.sigkill_timeout = sigterm_timeout, sigkill_timeout
        self.on_exit, self.shell = on_exit, shell
        self.process: Any = None

    def command(self, context: Any) -> list[str]:
        """The words of its command line."""
        return [perform(word, context) for word in self.cmd]

    def label(self, words: list[str], context: Any) -> str:
        """What its lines are marked with."""
        from pathlib import Path

        return perform(self.name, context) or Path(words[0]).name

    def execute(self, context: Any) -> None:
        """Start it."""
        words = self.command(context)
        base = (
            context.environment
            if self.env is None
            else {perform(k, context): perform(v, context) for k, v in self.env.items()}
        )
        more = {perform(k, context): perform(v, context) for k, v in (self.additional_env or {}).items()}
        cwd = perform(self.cwd, context) or None
        respawn = self.respawn if isinstance(self.respawn, bool) else perform(self.respawn, context).lower() == "true"
        context.service.start(self, words, self.label(words, context), {**base, **more}, cwd, respawn, context)


ExecuteLocal = ExecuteProcess
