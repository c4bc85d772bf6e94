"""Every code that Roundbook answers with, once. docs/errors.md is checked against this list.

A code is stable: programs branch on it. What it says to a person may improve. Each names what happened and
the next step, in Chinese and English, and never anything of a record, a person or a machine.

Codes of `CHANGE` are reasons for quarantine: that one change waits for the office, everything else flows.
Codes of `REQUEST` refuse a whole request and leave everything as it was.
"""

from typing import Final, Literal

import msgspec

Subject = Literal["change", "request"]


class Code(msgspec.Struct, frozen=True):
    """One code: what it is about, its HTTP status (0 where it never is one), and its words."""

    name: str
    subject: Subject
    status: int
    zh: str
    en: str
    next_zh: str
    next_en: str


def _change(name: str, zh: str, en: str, next_zh: str, next_en: str) -> Code:
    return Code(name, "change", 0, zh, en, next_zh, next_en)


def _request(name: str, status: int, zh: str, en: str, next_zh: str, next_en: str) -> Code:
    return Code(name, "request", status, zh, en, next_zh, next_en)


_OFFICE_ZH, _OFFICE = (
    "镇里会处理，不用重填",
    "the township office looks at it; nothing needs to be entered again",
)
_LATER_ZH, _LATER = "稍后会自动重试，内容都在", "it is tried again by itself; nothing is lost"
_PROGRAM_ZH, _PROGRAM = "请联系软件提供方", "tell whoever wrote the program"

_ALL: Final = (
    _change("unreadable", "内容无法识别", "the change could not be decoded", _OFFICE_ZH, _OFFICE),
    _change("sealed", "内容已封存，等待镇里的恢复密钥", "it is sealed to the recovery key, which is not here",
            "镇里取来恢复密钥后补录：roundbook recovery take-in",
            "the office brings the key: roundbook recovery take-in"),
    _change("unknown_kind", "服务器没有这种表单", "the server does not know this kind",
            "安装该表单后会自动补录", "it is replayed once the kind is installed"),
    _change("unknown_version", "服务器没有这个版本的表单", "the server does not know this version of the kind",
            "安装该版本后会自动补录", "it is replayed once the version is installed"),
    _change("unknown_field", "表单没有这个栏目", "the kind has no such field", _OFFICE_ZH, _OFFICE),
    _change("invalid_field", "栏目的内容不符合要求", "a field's value is not what its kind allows",
            _OFFICE_ZH, _OFFICE),
    _change("missing_field", "必填栏目没有填", "a required field is missing", _OFFICE_ZH, _OFFICE),
    _change("too_long", "栏目内容过长", "a field is longer than its limit", _OFFICE_ZH, _OFFICE),
    _change("too_many_entries", "条目过多", "a list has more entries than its limit", _OFFICE_ZH, _OFFICE),
    _change("too_large", "整条记录过大", "the change is larger than a record may be", _OFFICE_ZH, _OFFICE),
    _change("unknown_place", "没有这个网格", "the grid does not exist", _OFFICE_ZH, _OFFICE),
    _change("not_in_scope", "不在本机负责范围", "the record is not in this device's scope", _OFFICE_ZH, _OFFICE),
    _change("not_permitted", "当前状态不能这样操作", "this step is not open to this role in this state",
            _OFFICE_ZH, _OFFICE),
    _change("record_exists", "记录已存在", "another change created this record already", _OFFICE_ZH, _OFFICE),
    _change("change_id_reused", "同一编号的内容不同", "the change id was used before with other content",
            _OFFICE_ZH, _OFFICE),
    _change("depends_on", "要等前一条处理", "it builds on a change that is in quarantine", _OFFICE_ZH, _OFFICE),
    _change("revoked_device", "本机已停用", "the device was revoked; what it had not sent is kept",
            _OFFICE_ZH, _OFFICE),
    _request("malformed", 400, "请求格式错误", "the request is not what this address takes", _PROGRAM_ZH, _PROGRAM),
    _request("unsupported_protocol", 400, "软件版本过新", "the server does not speak this protocol version",
             "请升级服务器", "upgrade the server"),
    _request("cursor_invalid", 400, "同步位置无效", "the cursor was not given by this server for this reader",
             "从头读取一次", "read again from the beginning"),
    _request("unauthorised", 401, "身份验证失败", "the credentials are missing or not valid",
             "检查令牌或重新登记设备", "check the token, or enrol the device again"),
    _request("signature_invalid", 401, "签名无效", "the signature does not fit the request",
             "重新登记设备", "enrol the device again"),
    _request("sign_in_failed", 401, "姓名、密码或验证码不正确", "name, password or code is not right",
             "检查后再试；忘记密码请管理员重发链接", "check and try again; an administrator gives a new link"),
    _request("second_factor_required", 401, "还需要验证码", "a code of the second factor is needed too",
             "输入手机上的六位验证码，或一个备用码", "send `code`: six digits of the telephone, or a recovery code"),
    _request("forbidden", 403, "没有权限", "the caller's role or scopes do not cover this", "请管理员开通权限",
             "ask the administrator for the role or the scope"),
    _request("https_required", 403, "必须使用 https", "plain HTTP is not answered from here",
             "服务器地址以 https:// 开头，请改正", "use the server's address that begins with https://"),
    _request("csrf_invalid", 403, "页面已失效", "the request does not come from a page of this session",
             "刷新页面后再试", "read `csrf` of the session anew and send it as Roundbook-CSRF"),
    _request("link_invalid", 403, "链接无效或已过期", "the one-time link is wrong, used or expired",
             "请管理员重新生成链接", "ask the administrator for a new link"),
    _request("code_invalid", 403, "设备码无效或已过期", "the one-time code is wrong, used or older than ten minutes",
             "请管理员重新生成设备码", "ask the administrator for a new code"),
    _request("not_found", 404, "没有找到", "there is no such thing in this scope", "检查编号", "check the id"),
    _request("method_not_allowed", 405, "不支持的方法", "this address does not take the method", _PROGRAM_ZH, _PROGRAM),
    _request("too_slow", 408, "上传太慢", "the body did not arrive in time", _LATER_ZH, _LATER),
    _request("already_decided", 409, "已有人处理", "somebody else has decided this already",
             "重新打开查看", "read it again"),
    _request("key_reused", 409, "同一外部编号的内容不同", "the key was used before with other content",
             "使用新的编号或更新原记录", "use a new key, or update the record"),
    _request("on_hold", 409, "已依法留存，不能抹去", "a legal hold stands on this record",
             "先解除留存，再抹去", "lift the hold first: roundbook matter lift"),
    _request("joined", 409, "已与其他事项并案", "the record is joined to another one",
             "先处理并入的事项，或先拆分", "see to the record that it was joined to, or split it first"),
    _request("erased", 410, "内容已抹去，不可恢复", "what this is about was erased for good",
             "不再保存任何内容", "nothing is taken in for it any more; let go of your own copy"),
    _request("cursor_expired", 410, "同步位置过旧", "the cursor is older than what the server keeps",
             "从头读取一次", "read again from the beginning"),
    _request("version_conflict", 412, "所改栏目已被他人更新", "a field that the request touches has changed meanwhile",
             "重新读取后再改", "read the record again and repeat the change"),
    _request("too_large_request", 413, "请求过大", "the body is larger than its limit",
             "分批发送", "send less at a time"),
    _request("unsupported_media", 415, "不支持的编码", "the content encoding or type is not supported",
             "使用 JSON，zstd 或 gzip 压缩", "send JSON, plain or compressed with zstd or gzip"),
    _request("invalid_record", 422, "内容不符合要求", "a value is not what its kind allows",
             "按提示修改该栏目", "correct the field that is named"),
    _request("password_refused", 422, "密码不符合要求", "this password is not taken",
             "换一个更长、不常见的密码", "choose a longer one that was never published"),
    _request("precondition_required", 428, "缺少版本号", "the request must say which version it changes",
             "带上 If-Match", "send If-Match with the version shown"),
    _request("too_many_requests", 429, "请求过于频繁", "too many requests", _LATER_ZH, _LATER),
    _request("internal", 500, "服务器内部错误", "something failed inside the server", _LATER_ZH, _LATER),
    _request("unavailable", 503, "服务器忙", "the server cannot take this now", _LATER_ZH, _LATER),
)  # fmt: skip

CODES: Final[dict[str, Code]] = {code.name: code for code in _ALL}
