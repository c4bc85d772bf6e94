"""Names and narratives. Nobody in them exists, except that narratives may come from the shared data.

The citizens' messages of ../shared/data are read where they lie, when they are there, and never copied.
"""

import csv
import os
import random
import unicodedata
from pathlib import Path
from typing import Final

import msgspec

_SHARED: Final = Path(__file__).resolve().parent.parent.parent / "shared"
_MESSAGES: Final = Path("data", "complaints", "messages_with_replies.csv")
_TITLE_CHARS: Final = 60

_SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙马朱胡林郭何高罗郑梁谢宋"
_GIVEN: Final = (
    "桂兰建国秀英志明春梅海涛玉华永强素珍国平小燕立新红霞德胜月琴文斌丽娟长根彩云卫东"
    "金凤学军巧玲正华美芳和平冬梅庆华凤英大勇"
)

MEASURES: Final = (
    "到现场查看，拍照留存。",
    "与双方当面谈话，约定三日内再议。",
    "请村里老党员一同劝解。",
    "已联系镇水利站派人查看。",
    "向当事人说明办理流程和时限。",
    "组织双方在村委会调解一次。",
)
NOTES: Final = (
    "走访正常，未发现异常。",
    "家中无人，隔日再访。",
    "询问用水用电情况，一切正常。",
    "宣传防火知识，发放资料一份。",
    "反映村道路灯不亮，已记下。",
    "独居老人，身体尚好。",
    "门前堆放杂物，已劝其清理。",
)
_BUILT_IN: Final = (
    (
        "水渠堵塞",
        "村东水渠淤塞半月，下游三户无法灌溉。上游住户称淤泥系雨水冲下，不应由其清理。双方为此争执。",
    ),
    ("宅基地边界", "两户相邻，一户翻建时地基外移约三十厘米，邻户要求退回。原界石已不见，需查阅老底册。"),
    ("拖欠工资", "本村六人在镇上工地做工，至今两个月工资未发。包工头称甲方未付款，答应下月初结清。"),
    ("养殖气味", "村西养鸡场夏季气味重，周边住户开窗困难。场主愿意加装设备，但称费用无力一次承担。"),
    ("道路破损", "通往学校的水泥路断板三处，雨天积水，学生骑车摔倒过。请求尽快修补并设警示。"),
    ("垃圾清运", "集中点垃圾箱三天未清，苍蝇多。询问后得知清运车故障，已安排临时车辆。"),
    ("噪声扰民", "夜间加工作坊开机到十一点，邻居无法休息。作坊主称订单急，愿意改到晚上九点前停工。"),
    ("土地流转", "流转合同到期，承包大户未腾地，农户春耕在即。双方对地上苗木的处理意见不一。"),
    ("医保缴费", "老人不会用手机缴费，错过集中办理时间。需帮助其到镇便民服务中心补办。"),
    ("房屋漏雨", "一户低保家庭瓦房漏雨，后墙有裂缝。已提醒其雨天不要住在后间，请求鉴定。"),
    ("排水不畅", "新修路面高于院落，雨水倒灌进屋。住户要求施工单位加设排水沟。"),
    ("坟地迁移", "规划道路经过老坟地，两家对补偿标准看法不同。请司法所同志说明政策。"),
)


class Narrative(msgspec.Struct, frozen=True):
    """What somebody reports."""

    title: str
    text: str


class Texts:
    """Narratives to draw from."""

    def __init__(self, narratives: list[Narrative], *, shared: bool) -> None:
        self._narratives = narratives
        self.shared = shared
        """Whether they are citizens' real messages."""

    def narrative(self, draw: random.Random, chars: int) -> Narrative:
        """One of them, its text not longer than `chars`. Draws one number, whatever there is to draw from."""
        found = self._narratives[int(draw.random() * len(self._narratives))]
        return Narrative(found.title, found.text[:chars])


def open_texts() -> Texts:
    """The shared messages when they are there (ROUNDBOOK_SHARED names another folder), else built-in ones."""
    path = Path(os.environ.get("ROUNDBOOK_SHARED", _SHARED)) / _MESSAGES
    if not path.is_file():
        return Texts([Narrative(*one) for one in _BUILT_IN], shared=False)
    with path.open(encoding="utf-8", newline="") as file:
        read = [
            Narrative(_clean(row["subject"])[:_TITLE_CHARS], _clean(row["detail"]))
            for row in csv.DictReader(file)
        ]
    return Texts([one for one in read if one.title and one.text], shared=True)


def workers(draw: random.Random, count: int) -> list[str]:
    """Invented names, each once."""
    given = [_GIVEN[at : at + 2] for at in range(0, len(_GIVEN), 2)]
    return sorted(draw.sample([surname + name for surname in _SURNAMES for name in given], count))


def _clean(text: str) -> str:
    """One line without control characters."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return " ".join(kept.split())
