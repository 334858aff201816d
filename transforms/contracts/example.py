"""The example event of a contract, assembled from the contract's own examples."""

from __future__ import annotations

from typing import Any

from transforms.contracts.contract import Contract, ContractError, Node
from transforms.contracts.validation import violations


def example(contract: Contract) -> dict[str, Any]:
    """Build the example event of a contract, with every field and the same in each call.

    Args:
        contract: the contract.

    Returns:
        A valid event.

    Raises:
        ContractError: the contract refuses the event, because an `examples` is missing or wrong.
    """
    event: dict[str, Any] = _value(contract.root)
    wrong = violations(contract, event)
    if wrong:
        raise ContractError(f"{contract.name} at {wrong[0].path}: no example that it accepts")
    return event


def _value(node: Node) -> Any:
    """An example value of a node: its const, its first example or enum value, else a plain one."""
    schema = node.schema
    if node.kind == "object":
        return {name: _value(below) for name, below in node.fields.items()}
    if "const" in schema:
        return schema["const"]
    given = [*schema.get("examples", ()), *schema.get("enum", ())]
    if given:
        return given[0]
    if node.items is not None:
        return [_value(node.items)] if node.kind == "array" else {"name": _value(node.items)}
    return _plain(node)


def _plain(node: Node) -> Any:
    """A default value for a scalar without examples."""
    if node.kind == "string":
        return "x" * max(1, node.schema.get("minLength", 1))
    return True if node.kind == "boolean" else node.schema.get("minimum", 0)
