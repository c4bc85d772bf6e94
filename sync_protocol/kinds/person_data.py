"""Refuses fields that would turn records of matters into records of persons.

Roundbook is about matters, not about persons (design, section 6): no identity numbers, ethnicity,
religion, health or state of mind, no categories, labels or scores of people, and nobody's movements. What is
looked at are names and titles of kinds and fields, and the words of choices, states and steps, in Chinese and in
English; the list can be walked around by somebody who wants to, and says so to everybody else.
"""

import unicodedata
from typing import Final, NamedTuple

from sync_protocol.kinds.declaration import Title


class Forbidden(NamedTuple):
    """One sort of personal data, and the words that give it away.

    `zh` are parts of Chinese words, `en` are English words or several of them joined by "_". Those of
    `in_choices` and `en_in_choices` are looked for in choices and steps, where a word may name a sort of matter.
    """

    what: Title
    zh: tuple[str, ...]
    en: tuple[str, ...]
    in_choices: tuple[str, ...] = ()
    en_in_choices: tuple[str, ...] = ()


IDENTITY: Final = Forbidden(
    Title("身份证件号码", "identity numbers"),
    (
        *(
            "身份证",
            "身份号码",
            "公民身份",
            "身份信息",
            "证件号",
            "护照号",
            "社保号",
            "社会保障号",
            "户口簿号",
        ),
        *("户籍号", "驾驶证号", "居住证号", "军官证", "通行证号", "残疾证号", "人脸", "指纹", "生物特征"),
    ),
    (
        *("id_card", "idcard", "identity_card", "identity_number", "identity_no", "id_number", "id_no"),
        *("national_id", "citizen_id", "passport", "ssn", "social_security_number", "sfz", "sfzh"),
        *("shenfenzheng", "resident_id", "residence_permit_number", "hukou_number", "driving_licence_number"),
        *("driver_license_number", "drivers_license_number", "biometric", "biometrics", "fingerprint"),
        *("fingerprints", "face_id", "face_recognition", "facial_recognition"),
    ),
)
ETHNICITY: Final = Forbidden(
    Title("民族", "ethnicity"),
    ("民族", "族别", "族裔", "种族"),
    (
        *("ethnic", "ethnicity", "ethnicities", "nationality", "nationalities", "race", "racial", "minzu"),
        *("minority", "minorities"),
    ),
    (
        *(
            "汉族",
            "回族",
            "藏族",
            "满族",
            "壮族",
            "苗族",
            "彝族",
            "蒙古族",
            "维吾尔族",
            "朝鲜族",
            "土家族",
            "布依族",
        ),
        *("侗族", "瑶族", "白族", "哈萨克族", "少数民族"),
    ),
    ("ethnic_minority", "han_chinese", "tibetan", "tibetans", "uyghur", "uyghurs", "mongolian", "mongolians"),
)
RELIGION: Final = Forbidden(
    Title("宗教信仰", "religion"),
    ("宗教", "信仰", "教派", "信教"),
    ("religion", "religions", "religious", "faith", "belief", "beliefs", "zongjiao"),
    ("佛教", "道教", "基督教", "天主教", "伊斯兰教", "穆斯林", "教徒", "信徒", "信众"),
    (
        *("buddhist", "buddhists", "christian", "christians", "catholic", "catholics", "muslim", "muslims"),
        *("taoist", "taoists"),
    ),
)
HEALTH: Final = Forbidden(
    Title("健康或精神状态", "health or state of mind"),
    (
        *("健康", "病史", "疾病", "病情", "患病", "诊断", "残疾", "精神状态", "精神状况", "精神障碍"),
        *("精神病", "思想动态", "思想状况", "心理", "情绪", "血型", "过敏史", "用药", "怀孕", "孕产", "艾滋"),
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
        *("blood_type", "allergies", "medication", "pregnant", "pregnancy"),
    ),
    ("精神病人", "精神障碍患者", "精神病患者", "艾滋病人", "传染病人", "肇事肇祸"),
    ("mentally_ill", "mental_patient", "mental_patients"),
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
        *("重点户", "重点家庭", "关注人员", "关注对象", "特殊群体", "涉访人员", "涉稳人员", "不稳定人员"),
        *(
            "居民评分",
            "村民评分",
            "群众评分",
            "居民等级",
            "村民等级",
            "户评级",
            "人员风险",
            "居民画像",
            "人物画像",
        ),
        *("群众画像", "两劳人员", "是否党员", "党员身份", "性取向"),
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
        *("suspect", "suspects", "risk_person", "risk_persons", "high_risk_person", "high_risk_people"),
        *(
            "person_risk",
            "personal_risk",
            "person_rating",
            "person_rank",
            "resident_score",
            "resident_rating",
        ),
        *("villager_score", "villager_rating", "household_score", "citizen_score", "people_score"),
        *("sexual_orientation", "troublemaker", "troublemakers"),
    ),
)
MOVEMENTS: Final = Forbidden(
    Title("个人行踪", "anybody's movements"),
    ("行踪", "行动轨迹", "活动轨迹", "人员轨迹", "个人轨迹"),
    ("whereabouts", "movement_history", "location_history", "person_tracking", "track_of_person"),
)
FORBIDDEN: Final = (IDENTITY, ETHNICITY, RELIGION, HEALTH, CATEGORY, MOVEMENTS)
_HARMLESS_ZH: Final = (
    *(
        "面积分",
        "中心理",
        "健康步道",
        "故障诊断",
        "设备诊断",
        "线路诊断",
        "动物疾病",
        "植物疾病",
        "残疾人设施",
    ),
    *("残疾人通道", "残疾人车位", "农药用药", "指纹锁", "人脸门禁"),
)
"""Words of places, animals and machines in which one of the others would be found."""
_HARMLESS_EN: Final = (
    *("good_faith", "health_station", "health_centre", "health_center", "health_clinic", "animal_disease"),
    *("animal_diseases", "plant_disease", "plant_diseases", "disabled_access", "disabled_parking"),
    *("disability_access", "race_track", "mill_race"),
)

WHY: Final = Title(
    "本系统记事不记人，请删去；处理事项确需的内容写入叙述，不单设字段",
    "The service is about matters, not about persons: leave it out; what handling the matter needs belongs "
    "into its narrative, not into a field of its own",
)


def forbidden_name(name: str, title: Title) -> Forbidden | None:
    """What sort of personal data a kind or a field with this name and title would hold; None when none."""
    words = (_english(name), _english(title.en))
    chinese = (_chinese(title.zh), _chinese(title.en), _chinese(name))
    return next((one for one in FORBIDDEN if _in_english(one.en, *words) or _in(one.zh, *chinese)), None)


def forbidden_choice(title: Title) -> Forbidden | None:
    """The same for one choice of a field, or one state or step of a workflow.

    A list of kinds of matters may well have medical disputes in it, so of ethnicity, religion and health only
    what is said of people counts here.
    """
    text, words = _chinese(title.zh), (_english(title.en), _english(title.zh))
    for one in FORBIDDEN:
        zh, en = (one.zh, one.en) if one is CATEGORY else (one.in_choices, one.en_in_choices)
        if _in(zh, text) or _in_english(en, *words):
            return one
    return None


def _in(words: tuple[str, ...], *texts: str) -> bool:
    return any(word in text for word in words for text in texts)


def _in_english(words: tuple[str, ...], *texts: str) -> bool:
    return any(f"_{word}_" in text for word in words for text in texts)


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
    text = f"_{words}_"
    for harmless in _HARMLESS_EN:
        text = text.replace(f"_{harmless}_", "__")
    return text


def _chinese(text: str) -> str:
    """Letters and digits alone, compatibility forms folded: spaces and marks inside a word hide nothing."""
    plain = "".join(char for char in unicodedata.normalize("NFKC", text) if char.isalnum())
    for harmless in _HARMLESS_ZH:
        plain = plain.replace(harmless, " ")
    return plain
