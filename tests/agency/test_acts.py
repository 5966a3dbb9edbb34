"""The audit trail in words: who did what, and words for whatever the code records."""

import ast
import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from agency.acts import WORDS, act_words, changes_at
from tenants.api_keys import create_api_key, revoke_api_key
from tenants.models import Client, Membership, Role, User
from tests.conftest import PASSWORD, ROOT, site_of
from tests.walking import browser_of
from tracking.analysis.definitions import save_goal
from tracking.analysis.goals import Rule
from tracking.models.analysis import GoalKind

PACKAGES = ("agency", "tenants", "tracking", "consent")


@pytest.fixture
def client(new_client: Callable[..., Client]) -> Client:
    return new_client(name="Acts Ltd")


@pytest.fixture
def manager(client: Client) -> User:
    user = User.objects.create_user(
        f"manager@{client.slug}.example", PASSWORD, first_name="Mona", last_name="Ager"
    )
    Membership.objects.create(user=user, client=client, role=Role.MANAGER)
    return user


def test_the_trail_names_who_acted_and_what_it_was_about(client: Client, manager: User) -> None:
    save_goal(
        client,
        site_of(client),
        Rule(name="Newsletter ordered", kind=GoalKind.PAGE, match="/thanks"),
        now=timezone.now(),
        acting_user=manager.email,
    )
    key, _ = create_api_key(client, name="Till report", acting_user=manager.email)
    revoke_api_key(key, acting_user=manager.email)
    lines = [(act.who, act.what, act.detail) for act in changes_at(client)[:3]]
    assert lines == [
        ("Mona Ager", "Revoked an API key", "Till report"),
        ("Mona Ager", "Made an API key", "Till report"),
        ("Mona Ager", "Added a goal", "Newsletter ordered"),
    ]
    page = browser_of(manager, f"{client.slug}.localhost").get("/access/").content.decode()
    for name, what in (("Newsletter ordered", "Added a goal"), ("Till report", "Made an API key")):
        assert f'<td data-words="Who">{name}' not in page
        assert f'<td data-words="Who">Mona Ager</td><td data-words="What">{what}: {name}' in page


# --- words for each act that is recorded anywhere


@dataclasses.dataclass(frozen=True)
class Module:
    """A parsed file and what its names mean."""

    name: str
    tree: ast.Module
    imported: dict[str, tuple[str, str]]
    """Local name -> module and name there."""
    constants: dict[str, ast.expr]


def read_modules() -> dict[str, Module]:
    found = {}
    for package in PACKAGES:
        for path in sorted(Path(ROOT, package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            tree = ast.parse(path.read_text())
            imported = {
                alias.asname or alias.name: (node.module or "", alias.name)
                for node in tree.body
                if isinstance(node, ast.ImportFrom)
                for alias in node.names
            }
            found[name] = Module(name, tree, imported, dict(assignments(tree.body)))
    return found


def assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def parameters(function: ast.FunctionDef) -> list[str]:
    return [one.arg for one in (*function.args.args, *function.args.kwonlyargs)]


def takers(modules: dict[str, Module]) -> dict[tuple[str, str], int]:
    """`record_act` and whatever hands its own parameter `act` on to it: the parameter's place."""
    found = {("tenants.audit", "record_act"): 0}
    known = 0
    while known < len(found):
        known = len(found)
        for module in modules.values():
            for node in module.tree.body:
                if isinstance(node, ast.FunctionDef) and "act" in parameters(node):
                    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
                    if any(meaning(module, call.func) in found for call in calls):
                        found[module.name, node.name] = parameters(node).index("act")
    return found


def meaning(module: Module, called: ast.expr) -> tuple[str, str] | None:
    """Module and name of what is called by its name, or as an attribute of a module."""
    if isinstance(called, ast.Name):
        return module.imported.get(called.id, (module.name, called.id))
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        package, name = module.imported.get(called.value.id, ("", ""))
        return f"{package}.{name}", called.attr
    return None


def acts_of(value: ast.expr, module: Module, known: dict[str, ast.expr]) -> Iterator[str]:
    """The texts that an argument may be; fails on one that cannot be read off the code."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from acts_of(value.body, module, known)
        yield from acts_of(value.orelse, module, known)
    elif isinstance(value, ast.Name) and value.id in known:
        yield from acts_of(known[value.id], module, known)
    else:
        raise AssertionError(f"{module.name}:{value.lineno}: write the act so that it can be read")


def recorded_acts() -> Iterator[tuple[str, str]]:
    """Where, and which act."""
    modules = read_modules()
    taking = takers(modules)
    for module in modules.values():
        known = {
            local: modules[source].constants[name]
            for local, (source, name) in module.imported.items()
            if source in modules and name in modules[source].constants
        }
        for function in ast.walk(module.tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            handed_on = "act" in parameters(function)
            inside = [one for one in ast.walk(function) if isinstance(one, ast.stmt)]
            values = known | module.constants | dict(assignments(inside))
            for call in [one for one in ast.walk(function) if isinstance(one, ast.Call)]:
                taker = meaning(module, call.func)
                if taker is None or taker not in taking:
                    continue
                by_name = [one.value for one in call.keywords if one.arg == "act"]
                value = by_name[0] if by_name else call.args[taking[taker]]
                if isinstance(value, ast.Name) and value.id == "act" and handed_on:
                    continue  # whoever calls this function names it
                for act in acts_of(value, module, values):
                    yield f"{module.name}:{call.lineno}", act


def test_every_act_that_the_code_records_has_words() -> None:
    found = list(recorded_acts())
    missing = {where: act for where, act in found if act not in WORDS}
    assert not missing, f"say in agency.acts.WORDS what these are: {missing}"
    never = set(WORDS) - {act for _, act in found}
    assert not never, f"nothing records these: {never}"
    assert len({act for _, act in found}) >= 60


def test_the_trail_is_written_by_one_function_only() -> None:
    """So that the walk above sees every act."""
    makes = re.compile(r"AuditEntry(\.objects\.(bulk_)?create)?\(")
    writers = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in Path(ROOT, package).rglob("*.py")
        if makes.search(path.read_text().replace("class AuditEntry(", ""))
    ]
    assert writers == ["tenants/audit.py"]


def test_an_act_of_a_former_version_reads_as_words_too() -> None:
    assert act_words("import.start_again") == "Import: start again"
