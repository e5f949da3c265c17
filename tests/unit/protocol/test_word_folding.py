import unicodedata
from unicodedata import ucd_3_2_0

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.protocol.word_folding import fold_alone, fold_words

# What people type alike, by script. Two of a pair are typed as one, in either direction.
ALIKE = """
    Café cafe|naïve NAIVE|Ångström angstrom|Müller muller|São sao|çok cok|Čapek capek|Dvořák dvorak|niño NINO
    Ślązak slazak
    Straße strasse|STRASSE straße|FUẞBALL fussball|Fußball FUSSBALL|groß gross
    smørrebrød smorrebrod|ØRESUND oresund|Łódź lodz|ŁÓDŹ łódź|đường duong|Đỗ do|Þór thor|Guðrún gudrun|ħobż hobz|ŧ t
    œuvre oeuvre|Œuvre ŒUVRE|Ærø aero|encyclopædia encyclopaedia|ĳs ijs|ŋ n
    ısı isi|IRMAK ırmak|İstanbul istanbul|İZMİR izmir|DİYARBAKIR diyarbakır|Güneş gunes|Çağ cag|əli eli
    ɓala bala|ɗan dan|ƙasa kasa
    Tiếng tieng|Việt viet|phở pho|ưu uu|ẤY ay|Cafe\u0301 café|n\u0303andu ñandu|ấ a\u0302\u0301
    ёжик ежик|ЁЛКА елка|Е\u0308лка елка|за\u0301мок замок|ѐ е|и\u0306 й|МОЙ мой|їжак ЇЖАК|і\u0308 ї|ў Ў|ќ к\u0301
    Ὀδυσσεύς οδυσσευς|ΟΔΟΣ οδός|ΟΔΟΣ οδος|τῷ τω|ᾳ α|Ἀθῆναι αθηναι|ΐ ι|ϊ ι|ώρα ΩΡΑ|Άνθρωπος ανθρωπος|ϐ β|µ μ
    مُحَمَّد محمد|محـــمد محمد|أحمد احمد|إسلام اسلام|آمال امال|ٱلله الله|مؤمن مومن|سائل سايل|مدرسة مدرسه|على علي
    کتاب كتاب|علی علي|ی ى|ﻻ لا|ﻼ لا|ﺳﻼﻡ سلام|رَحْمٰن رحمن|قُرْآن قران|ہ ه|میخواهم می\u200cخواهم|٢٠٢٤ 2024|۱۴۰۳ 1403|٣ ۳
    שָׁלוֹם שלום|שׁ ש|בְּרֵאשִׁית בראשית|יִשְׂרָאֵל ישראל|ﬡ א|ײַ יי|װ וו
    ܫܠܳܡܳܐ ܫܠܡܐ
    ｆｕｌｌ full|ＡＢＣ abc|１２３ 123|ﬁnd find|ﬂow flow|ﬃ ffi|ﬆ st|ǆ dž|ǈ lj|ﬀ ff
    ﬓ մն|𝓗𝓮𝓵𝓵𝓸 hello|𝟜𝟚 42|x² x2|Ⅷ viii|ⅷ VIII|K k|Å a
    ｶﾀｶﾅ カタカナ|ｶﾞｷﾞ ガギ|ﾊﾟﾝ パン|か\u3099 が|ハ\u309a パ|ｰ ー|ヴ ウ\u3099|神 神|⼈ 人|豈 豈
    한글 한글|ㄱㅏ 가|ﾡ ㄱ
    ज़रूर जरूर|क़लम क़लम|क़लम कलम|हाँ हां|१२ 12|র\u200d্য র্য|ক্\u200cষ ক্ষ|ำ ํา|๒๐ 20|៣ 3
    sof\u00adt soft|sof\u200bt soft|so\u200cft soft|so\u2060ft soft|s\ufeffoft soft|so\u200eft soft
    so\u034fft soft|so\ufe0fft soft
    Გამარჯობა გამარჯობა|ꮳꮃꭹ ᏣᎳᎩ|Ⰳ ⰳ|Ա ա|Ѣ ѣ
"""
PAIRS = [tuple(pair.split(" ")) for line in ALIKE.strip().splitlines() for pair in line.strip().split("|")]
# Others that look near, and are letters of their own; and signs, which part words and never join them.
APART = [
    ("й", "и"), ("мой", "мои"), ("ў", "у"), ("їжак", "іжак"), ("ѓ", "г"), ("ќ", "к"), ("か", "が"), ("か", "カ"),
    ("ハ", "パ"), ("ä", "ae"), ("가", "각"), ("ড", "ড়"), ("ক", "খ"),
    ("ش", "س"), ("כ", "ך"), ("क", "ख"), ("ö", "oe"), ("ھ", "ه"),
]  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: ascii(pair[0]))
def test_what_people_type_alike_is_the_same(pair: tuple[str, str]) -> None:
    one, other = pair
    assert fold_words(one) == fold_words(other)
    assert fold_words(one).strip() and fold_words(f"a {one} b") == f"a {fold_words(one)} b"


def test_there_are_enough_of_them() -> None:
    assert len(PAIRS) > 150


@pytest.mark.parametrize(("one", "other"), APART, ids=ascii)
def test_what_has_a_key_of_its_own_stays_apart(one: str, other: str) -> None:
    assert fold_words(one) != fold_words(other)


@pytest.mark.parametrize(
    "text", ["Foo™", "Foo®", "foo℠bar", "№foo", "fooⓐ", "㎏foo", "🅰foo", "п'ять", "п’ять", "пʼять"]
)
def test_signs_part_words(text: str) -> None:
    words = fold_words(text).replace("'", " ").replace("’", " ").replace("®", " ").split()
    assert words and set(words) <= {"foo", "bar", "п", "ять"}


@given(st.text(st.characters(codec="utf-8").filter(lambda char: ucd_3_2_0.category(char) != "Cn")))
def test_the_fold_of_a_fold_is_itself_in_whatever_form_the_text_came(text: str) -> None:
    once = fold_words(text)
    assert fold_words(once) == once
    assert fold_words(unicodedata.normalize("NFC", text)) == fold_words(unicodedata.normalize("NFD", text)) == once


def test_no_character_that_this_python_orders_or_composes_with_the_one_before_is_folded_alone() -> None:
    pairs = [unicodedata.decomposition(chr(code)).split() for code in range(0x20000)]
    seconds = {chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and pair[0][0] != "<"}
    assert len(seconds) > 50
    marks = {char for char in map(chr, range(0x20000)) if unicodedata.combining(char)}
    hangul = {*map(chr, range(0x1161, 0x1176)), *map(chr, range(0x11A8, 0x11C3))}
    assert not [ascii(char) for char in seconds | marks | hangul if fold_alone(char) is not None]
