"""What a scanner that types like an American keyboard gives on a computer with another layout, turned back.

Pure functions. A scanner presses keys; which signs come out is the computer's business: on a French one the digits are
``&é"'(-è_çà``, on a Russian one every letter is Cyrillic. The text as it came is always tried first.
"""

from __future__ import annotations

#: The keys of an American keyboard, row by row from the left: without Shift, and with it.
_PLAIN = "`1234567890-=qwertyuiop[]\\asdfghjkl;'zxcvbnm,./"
_SHIFT = '~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:"ZXCVBNM<>?'
#: The same keys elsewhere. A blank: this key gives nothing that a code could hold.
_ELSEWHERE: dict[str, tuple[str, str]] = {
    "fr": ("²&é\"'(-è_çà)=azertyuiop^$*qsdfghjklmùwxcvbn,;:!", " 1234567890°+AZERTYUIOP¨£µQSDFGHJKLM%WXCVBN?./§"),
    "be": ("²&é\"'(§è!çà)-azertyuiop^$µqsdfghjklmùwxcvbn,;:=", "³1234567890°_AZERTYUIOP¨*£QSDFGHJKLM%WXCVBN?./+"),
    "ru": ("ё1234567890-=йцукенгшщзхъ\\фывапролджэячсмитьбю.", 'Ё!"№;%:?*()_+ЙЦУКЕНГШЩЗХЪ/ФЫВАПРОЛДЖЭЯЧСМИТЬБЮ,'),
    "de": ("^1234567890ß´qwertzuiopü+#asdfghjklöäyxcvbnm,.-", "°!\"§$%&/()=?`QWERTZUIOPÜ*'ASDFGHJKLÖÄYXCVBNM;:_"),
    "ch": ("§1234567890'^qwertzuiopè¨$asdfghjkléàyxcvbnm,.-", '°+"*ç%&/()=?`QWERTZUIOPü!£ASDFGHJKLöäYXCVBNM;:_'),
    "es": ("º1234567890'¡qwertyuiop`+çasdfghjklñ´zxcvbnm,.-", 'ª!"·$%&/()=?¿QWERTYUIOP^*ÇASDFGHJKLÑ¨ZXCVBNM;:_'),
    "pt": ("\\1234567890'«qwertyuiop+´~asdfghjklçºzxcvbnm,.-", "|!\"#$%&/()=?»QWERTYUIOP*`^ASDFGHJKLÇªZXCVBNM;:_"),
    "cs": ("; ěščřžýáíé=´qwertzuiopú)¨asdfghjklů§yxcvbnm,.-", "°1234567890%ˇQWERTZUIOP/('ASDFGHJKL\"!YXCVBNM?:_"),
}  # fmt: skip


def _table(plain: str, shift: str) -> dict[int, str]:
    """What each sign was typed for; where two keys give the same, the one without Shift."""
    pairs = [*zip(shift, _SHIFT, strict=True), *zip(plain, _PLAIN, strict=True)]
    return {ord(sign): meant for sign, meant in pairs if sign != " "}


_TABLES = {name: _table(plain, shift) for name, (plain, shift) in _ELSEWHERE.items()}
# The Czech key of the digit one gives a plus sign, which is a key of its own elsewhere.
_TABLES["cs"][ord("+")] = "1"


def readings(text: str) -> list[str]:
    """What a scanned text may have been: as it came, then as each layout's keys mean it; each once, blanks trimmed."""
    typed = text.strip()
    return list(dict.fromkeys([typed, *(typed.translate(table) for table in _TABLES.values())]))
