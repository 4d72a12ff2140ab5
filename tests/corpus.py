"""Strings on which tokenizers go wrong: the same ones on every machine, grouped by what is odd about them.

All can stand in a cell of an .xlsx file as they are; `RETURNS` and `CONTROLS` are those that some programs change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from random import Random

SHORT = 24  # bytes: no more tokens than that in any vocabulary that has all bytes


def _cut(text: str) -> list[str]:
    """The pieces in a text with spaces and line ends between them; ␣, ⏎ and ⇥ stand for what is in a piece."""
    pieces = [piece for piece in text.replace("\n", " ").split(" ") if piece]
    return [piece.replace("␣", " ").replace("⏎", "\n").replace("⇥", "\t") for piece in pieces]


_PIECES = {  # what a group's strings are made of
    "words": """the The THE tHe cat Cat CAT a I Lily lily LILY mcDonald iPhone strawberry reindeer unhappily end.
        e.g. Once␣upon␣a␣time He␣ran. Why?␣No! x␣y␣z""",
    "contractions": """'s 'S 't 'T 're 'RE 'Re 'rE 've 'VE 'm 'M 'll 'LL 'Ll 'd 'D 'r 'l 'v 'x it's IT'S I'm don't
        we'll they've 'tis o'clock a's 7's !'s ␣'s 's's 'ss 'sa 's1 's! 're1 'red 'veal 'lll \u3000's ⏎'s""",
    "apostrophes": """' '' ''' ''s '␣s '⏎s ’s ’t ‘re ʼll ＇s ′m `ve ´d "s '"s '’s dogs' 'em l'été rock␣'n'␣roll
        'a' '1' '!' ’S ’re""",
    "spaces": """␣ ␣␣ ␣␣␣ ␣␣␣␣␣␣␣␣ ⇥ ⇥⇥ ⏎ ⏎⏎ ␣⏎ ⏎␣ ⇥␣ ␣⇥ ⏎⇥ a␣ ␣a ␣␣a a␣␣b a⇥b a⏎b a␣⏎b a⏎␣b 1␣␣2 !␣␣! a⏎ ⏎a a⏎⏎
        ␣⏎␣⏎␣a ␣␣␣'s a␣␣ 1␣⏎ !⇥ ␣1 ␣␣1 ␣! ␣␣!""",
    "white": """\u00a0 \u1680 \u2000 \u2003 \u2009 \u200a \u2028 \u2029 \u202f \u205f \u3000 \u0085 \u200b \ufeff
        \u180e \u2060 ␣\u00a0 \u00a0␣ \u3000\u3000 a\u00a0b 1\u202f000 a\u200bb \u2003a \u2003␣a \u0085⏎ \u2028␣x
        \u00a0!""",
    "accents": """é e\u0301 ü u\u0308 ñ n\u0303 \u00c5 A\u030a \u212b ç ő Ünïcödé naïve café cafe\u0301 \u1ec7
        e\u0323\u0302 \u0301 ␣\u0301 a\u0300\u0301\u0302 1\u0301 !\u0301 s\u0323 ⏎\u0301 Z\u0351\u036b\u0343""",
    "case": """ß ẞ SS \u017f s \u0130 i\u0307 ı I i \u212a \u2126 \u03a9 \u00b5 \u03bc ς σ Σ ŉ ǰ ΐ ﬁ ﬀ ﬃ ﬆ ĳ Ĳ Æ œ
        ǆ ǅ Ǆ ǈ ᾳ ᾼ '\u017f straße STRASSE STRAẞE Maße ΣΊΣΥΦΟΣ İstanbul""",
    "greek and cyrillic": """α Ω λόγος ΛΌΓΟΣ ά ἄ Привет привет ПРИВЕТ ё е\u0308 й щ Ѣ ӕ № οὐκ ; · «да» ий Я'с""",
    "right to left": """א שלום שָׁלוֹם \u05b0 ״ ع سلام السَّلام \u064b ﷺ ﻻ ؟ ، \u200f \u202b \u061c ـ ٪ گ \u200fa
        1ع""",
    "indic and thai": """नमस्ते क क्ष \u093f \u094d कि । १२ தமிழ் বাংলা ไทย กำ \u0e31 ๓ ก\u0e49 ລາວ မြ ខ្មែរ བོད ໑
        क1""",
    "east asian": """中 中文字符 日本語 ひらがな カタカナ ｶﾀｶﾅ が か\u3099 ー 々 〇 〆 、 。 「」 ！ Ａ ａｂｃ
        １２３ ㈱ ㌔ 龘 ㄅ a中 中1 한국어 가 \u1100\u1161 각 \u1100\u1161\u11a8 ㄱ ㅏ \uffa1 한글!""",
    "emoji": """😀 🙂 ❤ ❤\ufe0f ☺\ufe0e 👍 👍🏽 🏽 👩\u200d👩\u200d👧 👩\u200d💻 🇩🇪 🇩 1\ufe0f\u20e3 #\ufe0f\u20e3
        \u200d \ufe0f 🏳\ufe0f\u200d🌈 🏴\U000e0067\U000e007f © ™ ☃ ⌚ 🫠 a😀b 1😀 😀's 😀␣😀""",
    "beyond U+FFFF": """𝒜 𝐱 𝟙 𝟘𝟗 𐌰 𐌲𐌿𐍄 𐍁 𠀀 𠮷野 𪛖 𐐨 𐐀 𐤀 𐒠 𞤀 𞥐 𐄇 𝄞 🀄 𖩠 𒀀 𓀀 \U000e0101 \U00010000 a𝒜b 𝒜1 ␣𝒜 𝒜's
        𝒜😀𝟙""",
    "digits": """0 7 007 1234567890 ² ³¹ x² ₂ H₂O ½ ¼ 1½ ⅓ Ⅷ ⅷ ↂ ① ⑳ ⓿ ➊ ٣ ٠١٢ ۵ ७ ๓ ௧௨ ፩ 〡 ㊉ ㉑ ൴ ꠰ 𐄇 𝟚 1st 2nd
        a1b2 3.14 1,000 1␣000 -5 ＃１""",
    "letters of other kinds": """ǅ ǈ ǲ ʰ ʼ ˈ ˑ ⁿ ₐ ᵃ ª º 1º ℵ ℕ ℓ ℹ Ⓐ ⓐ 🄰 ɐ ƻ ǀ ꞌ ॐ ˆ ^ ˙ ͺ ꜝ ـ ｰ ⱼ ꟸ aʰ ªb""",
    "invisible": """\u200b \u200c \u200d \u200e \u200f \u2060 \u2061 \u2063 \u00ad \u034f \ufeff \u180b \u115f
        \u3164 \uffa0 \u202a \u202c \u2066 \ufe00 \ufff9 \ufffc \ufffd \u007f \u0080 \u009f \U000e0020 \U0001d173
        \u2800 a\u00adb""",
    "wildcards": """* ? ~ ~* ~? ~~ ** ?? a* *a a?c a~b ~a *.* a*b*c [a] [!a] . ^a$ \\ \\* ( ) { } | + # % _ ?␣ ␣*
        ~1""",
    "like a formula": """=1+1 = == =A1 +5 -1 -SUM(A1:A9) @x @ 'x '=1 " "" "quoted" {=A1} =#REF! #N/A #VALUE!
        #DIV/0! TRUE FALSE true 1E5 1e-3 1/2 12:30 2024-01-31 50% $5 €5 (5) 0x1F - -- $A$1 R1C1 A1:B2 Sheet1!A1
        NaN inf =TRUE""",
    "markup": """& < > &amp; &#65; &lt; <b> </a> <!-- --> ]]> <![CDATA[ <?xml <r/> _x0041_ _x005F_ _x000D_ _x0000_
        _x0041 x0041_ _X0041_ _x00e9_ _xD83D_ _ __ a_b \\u0041 %41 \\n &nbsp; <|endoftext|> <t> ${x}""",
    "punctuation": """! ?! ... … — – “a” «a» ¿ ¡ § ¶ • £ ¥ ± × ÷ ° ¬ ← → ∀ ≤ ∞ ■ ☐ † ‰ ‽ ⸮ http://a.b/c?d=e a@b.c
        C++ C# (a) [1] {} a,b;c !!1 ,␣and ."␣""",
    "private": """\ue000 \uf8ff \U000f0000 \U0010fffd \ufdd0 \ufdef \U0001fffe \U0001ffff \U0010ffff \u0378 \u05ff
        \u2065 \U000e0000 \U0003ffff a\ue000 \ue000a ␣\ue000 1\ue000""",
}
_KINDS = ["a", "7", "!", " ", "\n", "'s", "\u3000"]  # every border of GPT-2's pattern lies between two of these
_GLUE = ["", "", "", " ", " ", "  ", "\n", "a", "B", "é", "1", "!", "'", "'s", ".", "\u00a0", "-"]
_ASCII = (0x20, 0x7E)
_RANGES = [  # all their code points have been in Unicode for long
    *(_ASCII, _ASCII, _ASCII, (0xA0, 0x17F), (0x180, 0x24F), (0x250, 0x2AF), (0x300, 0x36F), (0x391, 0x3A1)),
    *((0x400, 0x4FF), (0x5D0, 0x5EA), (0x620, 0x669), (0x904, 0x96F), (0xE01, 0xE3A), (0x1E00, 0x1EFF)),
    *((0x2000, 0x2064), (0x2150, 0x2188), (0x2190, 0x23FE), (0x2460, 0x27BF), (0x3041, 0x3096), (0x30A1, 0x30FF)),
    *((0x4E00, 0x9FA5), (0xA000, 0xA48C), (0xAC00, 0xD7A3), (0xE000, 0xF8FF), (0xFF01, 0xFFBE), (0x10330, 0x1034A)),
    *((0x10400, 0x1049D), (0x12000, 0x1236E), (0x1D400, 0x1D454), (0x1D7CE, 0x1D7FF), (0x1F300, 0x1F64F)),
    (0x20000, 0x2A6D6),
]

# A lone \r becomes \n, or nothing, in many a program; \r\n too.
RETURNS = [
    *("\r", "\r\n", "\n\r", "\r\r", "\r\n\r\n", "a\r\nb", "a\rb", " \r\n", "\r\n ", "a \r", "\t\r\n", "\r's", "1\r2"),
    *("\r\n\r\n x", "!\r\n!", "\r\u00a0", "_x000D_\r", "line one\r\nline two", "\r\na", "  \r  a"),
]
# XML 1.0 cannot hold these characters; OOXML writes _x0001_, and not every program reads that.
CONTROLS = [
    text
    for c in map(chr, [*range(0x01, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20)])
    for text in (c, f"a{c}b", f" {c}", f"{c}{c}1")
]
# Letters and a digit of Unicode 17 and 18, which tiktoken and Hugging Face do not take for such yet: only the cut
# before the apostrophe shows it.
NEW_LETTERS = [
    f"{c}'s" for c in "\u0558\u088f\u0c5c\ua7ce\ua7d2\U00010940\U00011db0\U00011de0\U000323b0\U00033479\U0003d000"
]


def corpus(alphabet: set[str] | None = None) -> list[str]:
    """All strings of `GROUPS`, each once; with an alphabet, those of its characters and 300 made of them."""
    everything = _once(text for group in GROUPS.values() for text in group)
    if alphabet is None:
        return everything
    rng = Random(2019)
    letters = sorted(alphabet)
    made = ["".join(rng.choices(letters, k=rng.randint(1, SHORT))) for _ in range(300)]
    return _once([*(text for text in everything if alphabet.issuperset(text)), *made])


def held_prompts() -> list[str]:
    """50 beginnings of simple stories, to judge a model by: nothing is ever fitted to them."""
    return list(_HELD)


def _groups() -> dict[str, list[str]]:
    rng = Random(20190214)
    groups = {name: _mixed(_cut(pieces), rng) for name, pieces in _PIECES.items()}
    groups["borders"] = ["".join(three) for three in product(_KINDS, repeat=3)]
    groups["any ASCII"] = _some(150, lambda: _within([_ASCII], rng))
    groups["any characters"] = _some(250, lambda: _within(_RANGES, rng))
    groups["too long"] = _too_long(rng)
    return groups


def _mixed(pieces: list[str], rng: Random) -> list[str]:
    """Each piece, each after a space, and 40 strings of pieces glued together."""
    alone = _once([*pieces, *(f" {piece}" for piece in pieces)])
    glued = _some(40, lambda: "".join(rng.choice(_GLUE) + rng.choice(pieces) for _ in range(rng.randint(2, 5))))
    return _once([*alone, *glued])


def _within(ranges: list[tuple[int, int]], rng: Random) -> str:
    """Up to 24 characters, each from any of the ranges."""
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(1, SHORT)))


def _too_long(rng: Random) -> list[str]:
    """More than 64 characters, or a word of more than 32 bytes."""
    words = [piece for piece in _cut(_PIECES["words"]) if piece.isalpha()]
    runs = [c * n for c in "ax1! \n" for n in (33, 65, 200)]
    wide = [
        "é" * 17,
        "中" * 11,
        "한" * 11,
        "😀" * 9,
        "👩‍👩‍👧" * 4,
        "\u3000" * 12,
        "²" * 17,
        "a\u0301" * 33,
        "कखगघङ" * 3,
    ]
    sentences = [" ".join(rng.choices([*words, "Mike", "didn't"], k=40)) for _ in range(20)]
    strange = ["".join(rng.choices("abcdeXYZ", k=rng.randint(33, 80))) for _ in range(20)]
    return _once([*runs, *wide, *sentences, *strange, "Donaudampfschifffahrtsgesellschaft", "ab" * 40 + "'s"])


def _some(wanted: int, make: Callable[[], str]) -> list[str]:
    """So many different short strings."""
    found: dict[str, None] = {}
    while len(found) < wanted:
        text = make()
        if len(text.encode()) <= SHORT:
            found[text] = None
    return list(found)


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


GROUPS = _groups()

_HELD = """\
The
The dog
Lily ran
"Hello
He was so happy
It was raining
Sam and his dog
Mom was not sure
The little bird
Where is my hat?
One day, Ben
The cat sat down
A big bear came
She said, "No
There once was a frog
Max had a toy car.
The sun was hot and
Once there was a boy
Anna did not like
They went to the beach
"Can I play too?" asked
The old tree was sad.
Tim saw a red truck
Mia loves to draw.
In the garden, a bee
The bunny hopped and
"Look, Mom!" said
Jack found a shiny rock
His sister was angry
At night, the moon
The girl was scared, but
Every day, Sue would
Dad made a cake for
A small fish swam in
It's time for bed, said
They couldn't find the
"I'm sorry," he said.
The wind blew the leaves
Ben and Mia are friends. They like to run and jump
She opened the box and
The duck said, "Quack!"
After lunch, they all
Once upon a time, two cats
The mouse was very small
"Don't go there!" said
Sara has 3 dolls and 2
The king lived in a castle with a big green door
Leo wanted a new bike, but his mom said no
When the snow came, Tom
They hugged and said sorry
""".splitlines()
