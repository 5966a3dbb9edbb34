"""What stands above each page of a report: the period's menu and the filters in force."""

from agency.components import Chip, Choice, PeriodPicker
from agency.report_choices import Compare
from agency.views.reading import OF_COMPARISON, OF_DATES, Reading
from agency.wording import PRESETS
from tracking.query.model import Condition, Either

COMPARE_WORDS = {
    Compare.PREVIOUS: "Period before",
    Compare.YEAR: "Year before",
    Compare.NONE: "Nothing",
}


def picker_of(reading: Reading, *, compares: bool = True) -> PeriodPicker:
    """Presets, dates and comparisons; `compares=False` for a page that compares nothing."""
    return PeriodPicker(
        words=reading.period_words,
        presets=[
            Choice(
                words=words,
                url=reading.with_period(preset),
                is_current=preset is reading.preset,
            )
            for preset, words in PRESETS.items()
        ],
        starts_on=reading.period.starts_on,
        ends_on=reading.period.ends_on,
        hidden=reading.without(*OF_DATES, "by"),
        max_on=reading.today,
        comparisons=_comparisons(reading) if compares else (),
        compare_hidden=comparison_fields(reading) if compares else (),
        compare_from=reading.comparison.starts_on if reading.comparison else None,
        compare_to=reading.comparison.ends_on if reading.comparison else None,
        before_words=reading.before_words if compares else "",
    )


def _comparisons(reading: Reading) -> list[Choice]:
    return [
        Choice(
            words=words,
            url=reading.with_compare(compare),
            is_current=compare is reading.compare,
        )
        for compare, words in COMPARE_WORDS.items()
    ]


def comparison_fields(reading: Reading) -> list[tuple[str, str]]:
    """Hidden fields of a form that asks for two dates to compare with."""
    return [*reading.without(*OF_COMPARISON), ("compare", Compare.CUSTOM.value)]


def chips_of(reading: Reading, *, edit_path: str = "") -> list[Chip]:
    """The filters in force; `edit_path` is the address below the report's that edits one."""
    return [
        Chip(
            name=each.name,
            words=each.words,
            remove_url=reading.without_filter(each.text),
            edit_url=(
                reading.below(edit_path, {"edit": each.text})
                if edit_path and isinstance(each.part, Condition | Either) and not each.is_segment
                else ""
            ),
        )
        for each in reading.chosen
    ]


def clear_url(reading: Reading) -> str:
    """The page without any filter."""
    return reading.with_filters([])
