"""Exceptions of rclpy.exceptions."""


class NotInitializedException(Exception):
    """rclpy.init() was not called, or shut down since."""

    def __init__(self, *args: object) -> None:
        super().__init__("rclpy.init() has not been called", *args)


class InvalidHandle(Exception):
    """The thing was destroyed."""


class NameValidationException(Exception):
    """A name is not valid."""

    def __init__(self, name_type: str, name: str, error_msg: str, invalid_index: int) -> None:
        super().__init__(f"Invalid {name_type}: {error_msg}:\n  '{name}'\n   {' ' * invalid_index}^")


class InvalidNodeNameException(NameValidationException):
    """Of a node."""

    def __init__(self, name: str, error_msg: str, invalid_index: int) -> None:
        super().__init__("node name", name, error_msg, invalid_index)


class InvalidTopicNameException(NameValidationException):
    """Of a topic."""

    def __init__(self, name: str, error_msg: str, invalid_index: int) -> None:
        super().__init__("topic name", name, error_msg, invalid_index)


class InvalidServiceNameException(NameValidationException):
    """Of a service."""

    def __init__(self, name: str, error_msg: str, invalid_index: int) -> None:
        super().__init__("service name", name, error_msg, invalid_index)


class InvalidNamespaceException(NameValidationException):
    """Of a namespace."""

    def __init__(self, name: str, error_msg: str, invalid_index: int) -> None:
        super().__init__("namespace", name, error_msg, invalid_index)


class ParameterException(Exception):
    """Base of errors of parameters."""

    def __init__(self, error_msg: str, parameters: object, *args: object) -> None:
        super().__init__(f"{error_msg}: {parameters}", *args)


class ParameterNotDeclaredException(ParameterException):
    """Nobody declared it."""

    def __init__(self, parameters: object, *args: object) -> None:
        super().__init__("Invalid access to undeclared parameter(s)", parameters, *args)


class ParameterAlreadyDeclaredException(ParameterException):
    """Declared twice."""

    def __init__(self, parameters: object, *args: object) -> None:
        super().__init__("Parameter(s) already declared", parameters, *args)


class InvalidParameterException(ParameterException):
    """Its name is not valid."""

    def __init__(self, parameter: object, *args: object) -> None:
        super().__init__("Invalid parameter name", parameter, *args)


class ParameterUninitializedException(ParameterException):
    """Declared without a value."""

    def __init__(self, parameter: object, *args: object) -> None:
        super().__init__("The parameter is not initialized", parameter, *args)


class InvalidParameterTypeException(ParameterException):
    """A value of another type than declared."""

    def __init__(self, desired: object, expected: object, *args: object) -> None:
        super().__init__(f"Trying to set parameter to a wrong type; expecting {expected}", desired, *args)


class InvalidParameterValueException(ParameterException):
    """A value that was refused."""

    def __init__(self, parameter: object, value: object, reason: str = "", *args: object) -> None:
        super().__init__(f"Invalid parameter value ({value}) for parameter '{parameter}'. Reason", reason, *args)


class ParameterImmutableException(ParameterException):
    """It is read-only."""

    def __init__(self, parameter: object, *args: object) -> None:
        super().__init__("Attempted to modify read-only parameter", parameter, *args)


class ROSInterruptException(Exception):
    """The context ended while something waited."""

    def __init__(self) -> None:
        super().__init__("rclpy.shutdown() has been called")
