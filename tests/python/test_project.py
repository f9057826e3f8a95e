"""Rules of the project over what dbt parsed: grain first, keys tested, one way from left to right.

An exception to a rule is a line in `EXCEPTIONS`, with the reason.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from apportion import transform
from apportion.settings import PROJECT, Settings

LAYERS = ("staging", "intermediate", "marts")
KEY_TESTS = {"unique", "unique_combination"}

EXCEPTIONS: dict[tuple[str, str], str] = {
    # (rule, model): reason
    ("contract", "journey_touchpoints"): "one column per segment family; a family is one file",
    (
        "key",
        "stg_landing__event_timeliness",
    ): "its rows are those of stg_landing__events, one to one",
    ("sources", "run_log"): "the record of the runs is written by the steps of a night",
    ("sources", "privacy_audit_log"): "the record of requests is written by the steps of privacy",
    ("sources", "quality_results"): "the record of the gates is written by the gates",
    ("sources", "source_freshness"): "the record of freshness is written by the loading step",
}


def excepted(rule: str, node: dict) -> bool:
    return (rule, node["name"]) in EXCEPTIONS


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict:
    settings = Settings(data := tmp_path_factory.mktemp("parsed"), data / "landing")
    result = transform.invoke(settings, ["--warn-error", "parse"], quiet=True)
    assert result.success, result.exception
    return json.loads((settings.target / "manifest.json").read_text())


@pytest.fixture(scope="module")
def models(manifest: dict) -> list[dict]:
    nodes = manifest["nodes"].values()
    found = [node for node in nodes if node["resource_type"] == "model"]
    assert len(found) > 20
    return found


@pytest.fixture(scope="module")
def tests_of(manifest: dict) -> dict[str, set[str]]:
    """Names of the generic tests by the node that they are attached to."""
    names: dict[str, set[str]] = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and node.get("test_metadata"):
            names.setdefault(node["attached_node"], set()).add(node["test_metadata"]["name"])
    return names


def layer(node: dict) -> str:
    return Path(node["original_file_path"]).parts[1]


def test_each_description_opens_with_the_grain(models: list[dict]) -> None:
    missing = [
        node["name"]
        for node in models
        if not re.match(r"(Grain:|One row per )", node["description"].strip())
    ]
    assert not missing


def test_each_file_opens_with_the_grain(models: list[dict]) -> None:
    missing = [
        node["name"]
        for node in models
        if not re.match(r"-- (Grain:|One row\b)", node["raw_code"].lstrip())
    ]
    assert not missing


def test_each_model_has_an_owner(manifest: dict, models: list[dict]) -> None:
    groups = {group["name"] for group in manifest["groups"].values()}
    assert groups
    assert not [node["name"] for node in models if node["group"] not in groups]


def test_each_model_has_a_key_that_is_tested(
    models: list[dict], tests_of: dict[str, set[str]]
) -> None:
    missing = [
        node["name"]
        for node in models
        if not KEY_TESTS & tests_of.get(node["unique_id"], set()) and not excepted("key", node)
    ]
    assert not missing


def test_each_mart_has_a_contract_and_is_public(models: list[dict]) -> None:
    marts = [node for node in models if layer(node) == "marts"]
    assert marts
    for node in marts:
        assert node["config"]["access"] == "public", node["name"]
        assert node["config"]["contract"]["enforced"] or excepted("contract", node), node["name"]


def test_each_column_of_a_mart_is_described(models: list[dict]) -> None:
    undescribed = [
        f"{node['name']}.{name}"
        for node in models
        if layer(node) == "marts"
        for name, column in node["columns"].items()
        if not column["description"].strip()
    ]
    assert not undescribed


def test_only_marts_are_public(models: list[dict]) -> None:
    public = {layer(node) for node in models if node["config"]["access"] == "public"}
    assert public == {"marts"}


def test_nothing_reads_rightwards(manifest: dict, models: list[dict]) -> None:
    by_id = {node["unique_id"]: node for node in models}
    wrong = [
        f"{node['name']} reads {by_id[parent]['name']}"
        for node in models
        for parent in node["depends_on"]["nodes"]
        if parent in by_id and LAYERS.index(layer(by_id[parent])) > LAYERS.index(layer(node))
    ]
    assert not wrong


def test_only_staging_reads_raw_and_marts_read_no_source(
    manifest: dict, models: list[dict]
) -> None:
    sources = manifest["sources"]
    for node in models:
        for parent in node["depends_on"]["nodes"]:
            if parent not in sources or excepted("sources", node):
                continue
            source = sources[parent]
            if source["schema"] == "raw":
                # The key of the identifier hashes is no data; hash_identifier reads it.
                assert layer(node) == "staging" or source["name"] == "_pii_key", node["name"]
            # Nor is the moment that a night is judged as of, which as_of() reads.
            is_read_anywhere = source["source_name"] == "ml" or source["name"] == "clock"
            assert layer(node) != "marts" or is_read_anywhere, node["name"]


def test_staging_only_renames(models: list[dict]) -> None:
    """A staging model reads sources, and seeds that name things; never another model."""
    for node in models:
        if layer(node) == "staging":
            parents = [name.split(".")[0] for name in node["depends_on"]["nodes"]]
            assert "model" not in parents, node["name"]
            assert "source" in parents, node["name"]


def test_names_follow_the_folders(models: list[dict]) -> None:
    for node in models:
        folder = Path(node["original_file_path"]).parent.name
        pattern = {
            "staging": rf"stg_{folder}__[a-z0-9_]+",
            "intermediate": rf"int_{folder}__[a-z0-9_]+",
            "marts": r"(?!stg_|int_|fct_|dim_)[a-z][a-z0-9_]+",
        }[layer(node)]
        assert re.fullmatch(pattern, node["name"]), node["original_file_path"]


def test_each_model_is_described_in_the_yml_of_its_folder(models: list[dict]) -> None:
    for node in models:
        assert node["patch_path"], f"{node['name']} is in no yml"
        described_in = Path(node["patch_path"].split("://")[1])
        assert described_in.parent == Path(node["original_file_path"]).parent, node["name"]
        assert re.fullmatch(r"_[a-z0-9_]+__models\.yml", described_in.name), described_in


def test_each_macro_is_described(manifest: dict) -> None:
    """Signatures are checked by dbt (validate_macro_args); that each has a yml is checked here."""
    undescribed = [
        macro["name"]
        for macro in manifest["macros"].values()
        if macro["package_name"] == "apportion"
        and not macro["name"].startswith(("test_", "default__", "duckdb__", "spark__"))
        and not macro["description"].strip()
    ]
    assert not undescribed


def test_each_model_is_in_exactly_one_stage(models: list[dict], tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path / "landing")
    staged: list[str] = []
    for stage in LAYERS:
        result = transform.invoke(
            settings,
            ["ls", "--selector", stage, "--resource-type", "model", "--output", "name"],
            quiet=True,
        )
        assert result.success, result.exception
        staged += result.result
    assert sorted(staged) == sorted(node["name"] for node in models)


def test_telemetry_is_off(project: Path) -> None:
    assert "send_anonymous_usage_stats: false" in (project / "dbt_project.yml").read_text()


def test_requirements_are_pinned_hashed_and_from_no_named_index() -> None:
    text = (PROJECT / "requirements.txt").read_text()
    assert not re.search(r"https?://|file://|--(extra-)?index-url|--find-links", text)
    wanted = re.findall(r"^([A-Za-z0-9_.\[\]-]+)==", text, flags=re.MULTILINE)
    assert len(wanted) > 100
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert not [block.split()[0] for block in blocks if "--hash=sha256:" not in block]
    direct = re.findall(
        r'^    "([a-z0-9-]+==[^"]+)"', (PROJECT / "pyproject.toml").read_text(), re.M
    )
    assert len(direct) > 10
    # A pin is a version, and where it differs by version of Python also for which: both must agree.
    compiled = {
        re.sub(r"^([a-z0-9-]+)\[[a-z,]+\]==", r"\1==", line).rstrip(" \\").replace(" ; ", "; ")
        for line in text.splitlines()
    }
    assert not [pin for pin in direct if pin not in compiled]
