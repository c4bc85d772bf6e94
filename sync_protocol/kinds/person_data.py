"""Refuses fields that would turn records of matters into records of persons.

Roundbook is about matters, not about persons (design, section 6): no identity numbers, ethnicity,
religion, health or state of mind, and no categories, labels or scores of people. What is looked at are
names, titles and the words of choices; the list can be walked around by somebody who wants to, and says
so to everybody else.
"""

import unicodedata
from typing import Final, NamedTuple

from sync_protocol.kinds.declaration import Title


class Forbidden(NamedTuple):
    """One sort of personal data, and the words that give it away.

    `zh` are parts of Chinese words, `en` are English words or several of them joined by "_". `in_choices`
    are further words, looked for in the choices of a field only.
    """

    what: Title
    zh: tuple[str, ...]
    en: tuple[str, ...]
    in_choices: tuple[str, ...] = ()


IDENTITY: Final = Forbidden(
    Title("身份证件号码", "identity numbers"),
    ("身份证", "身份号码", "公民身份", "证件号", "护照号", "社保号", "社会保障号"),
    (
        *("id_card", "idcard", "identity_card", "identity_number", "identity_no", "id_number", "id_no"),
        *("national_id", "citizen_id", "passport", "ssn", "social_security_number", "sfz", "sfzh"),
        *("shenfenzheng", "resident_id"),
    ),
)
ETHNICITY: Final = Forbidden(
    Title("民族", "ethnicity"),
    ("民族", "族别", "族裔", "种族"),
    ("ethnic", "ethnicity", "ethnic_group", "nationality", "race", "racial", "minzu", "minority"),
    ("汉族", "回族", "藏族", "满族", "壮族", "苗族", "彝族", "蒙古族", "维吾尔族", "朝鲜族"),
)
RELIGION: Final = Forbidden(
    Title("宗教信仰", "religion"),
    ("宗教", "信仰", "教派", "信教"),
    ("religion", "religious", "faith", "belief", "beliefs", "zongjiao"),
    ("佛教", "道教", "基督教", "天主教", "伊斯兰教"),
)
HEALTH: Final = Forbidden(
    Title("健康或精神状态", "health or state of mind"),
    (
        *("健康", "病史", "疾病", "病情", "患病", "诊断", "残疾", "精神状态", "精神状况", "精神障碍"),
        *("精神病", "思想动态", "思想状况", "心理", "情绪"),
    ),
    (
        *(
            "health",
            "medical_history",
            "disease",
            "diseases",
            "illness",
            "diagnosis",
            "disability",
            "disabled",
        ),
        *("mental", "mood", "psychological", "psychology", "state_of_mind", "emotion", "emotional"),
    ),
)
CATEGORY: Final = Forbidden(
    Title("对人的分类、标签或评分", "categories, labels or scores of people"),
    (
        *("重点人", "重点对象", "特殊人群", "特殊人员", "风险人员", "高危人员", "人员类别", "人员分类"),
        *(
            "人员类型",
            "人群分类",
            "人员标签",
            "人员等级",
            "人员评分",
            "信访老户",
            "上访老户",
            "老上访",
            "缠访",
        ),
        *("闹访", "上访次数", "信访次数", "信用分", "信用等级", "信用评分", "积分", "扣分", "黑名单"),
        *("盯人", "稳控", "管控对象", "政治面貌", "前科", "刑满释放", "刑释", "社区矫正", "吸毒", "邪教"),
    ),
    (
        *("key_person", "key_persons", "key_people", "person_type", "person_category", "person_categories"),
        *("person_class", "person_label", "person_labels", "person_tag", "person_tags", "person_score"),
        *("people_category", "population_category", "credit_score", "social_credit", "trust_score"),
        *("loyalty", "blacklist", "watchlist", "watch_list", "petition_count", "petitions_count"),
        *(
            "old_petitioner",
            "old_petitioners",
            "repeat_petitioner",
            "criminal_record",
            "ex_convict",
            "drug_user",
            "political_status",
            "party_member",
        ),
        "suspect",
    ),
)
FORBIDDEN: Final = (IDENTITY, ETHNICITY, RELIGION, HEALTH, CATEGORY)

WHY: Final = Title(
    "本系统记事不记人，请删去；处理事项确需的内容写入叙述，不单设字段",
    "The service is about matters, not about persons: leave it out; what handling the matter needs belongs "
    "into its narrative, not into a field of its own",
)


def forbidden_name(name: str, title: Title) -> Forbidden | None:
    """What sort of personal data a kind or a field with this name and title would hold; None when none."""
    words = (_english(name), _english(title.en))
    chinese = (_chinese(title.zh), _chinese(title.en), _chinese(name))
    for entry in FORBIDDEN:
        if any(f"_{word}_" in text for word in entry.en for text in words):
            return entry
        if any(word in text for word in entry.zh for text in chinese):
            return entry
    return None


def forbidden_choice(title: Title) -> Forbidden | None:
    """The same for one choice of a field.

    A list of kinds of matters may well have medical disputes in it, so only categories of people and the
    values of ethnicity and religion count here.
    """
    text, words = _chinese(title.zh), _english(title.en)
    for entry in FORBIDDEN:
        whole = entry is CATEGORY
        if any(word in text for word in (entry.zh if whole else entry.in_choices)):
            return entry
        if whole and any(f"_{word}_" in words for word in entry.en):
            return entry
    return None


def _english(text: str) -> str:
    """Lower-case words between underscores: "_id_card_" for "ID card", "IdCard" and "id-card"."""
    parts: list[str] = ["_"]
    before = ""
    for char in unicodedata.normalize("NFKC", text):
        if not char.isalnum():
            parts.append("_")
        elif char.isupper() and before.islower():
            parts.append("_" + char.lower())
        else:
            parts.append(char.lower())
        before = char
    words = "_".join(word for word in "".join(parts).split("_") if word)
    return f"_{words}_"


def _chinese(text: str) -> str:
    """Letters and digits alone, compatibility forms folded: spaces and marks inside a word hide nothing."""
    return "".join(char for char in unicodedata.normalize("NFKC", text) if char.isalnum())
