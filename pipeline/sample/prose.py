"""Invented prose in English and Portuguese from a small seeded grammar, and short texts in other languages."""

from __future__ import annotations

import random

_TOPICS = {
    "en": {
        "gardens": ("the old garden", "the seedlings", "the compost heap", "the gardener", "the orchard", "the rain barrel"),
        "bicycles": ("the bicycle", "the front wheel", "the repair shop", "the chain", "the mechanic", "the steep road"),
        "rivers": ("the river", "the ferry", "the lower bridge", "the flood of that spring", "the pilot", "the far bank"),
        "bread": ("the sourdough", "the baker", "the stone oven", "the rye flour", "the morning batch", "the crust"),
        "stars": ("the telescope", "the night sky", "the observatory", "the astronomer", "the comet", "the faint galaxy"),
        "libraries": ("the library", "the archivist", "the reading room", "the catalogue", "the rare map", "the donated shelf"),
        "bees": ("the hive", "the beekeeper", "the queen", "the clover field", "the swarm", "the winter store"),
        "trains": ("the night train", "the conductor", "the small station", "the timetable", "the signal box", "the branch line"),
    },
    "pt": {
        "jardins": ("o velho jardim", "o pomar", "o jardineiro", "o canteiro de ervas", "o poço de pedra", "o adubo da casa"),
        "bicicletas": ("a bicicleta", "a roda da frente", "a oficina do bairro", "a corrente", "o mecânico", "a ladeira"),
        "rios": ("o rio", "a balsa", "a ponte antiga", "a cheia daquele verão", "o barqueiro", "a outra margem"),
        "pão": ("o fermento natural", "o padeiro", "o forno a lenha", "a farinha de centeio", "a primeira fornada", "a casca"),
        "estrelas": ("o telescópio", "o céu de inverno", "o observatório", "a astrônoma", "o cometa", "a galáxia distante"),
        "bibliotecas": ("a biblioteca", "a arquivista", "a sala de leitura", "o catálogo", "o mapa raro", "a estante doada"),
        "abelhas": ("a colmeia", "o apicultor", "a rainha", "o campo florido", "o enxame", "a reserva de mel"),
        "trens": ("o trem noturno", "o maquinista", "a pequena estação", "a tabela de horários", "o ramal", "o vagão de carga"),
    },
}  # fmt: skip

_SENTENCES = {
    "en": (
        "{A} had been there for {n} years before anyone wrote about {b}.",
        "When {a} changed, {b} changed with it, and people in the valley noticed within {n} days.",
        "Most visitors ask about {a}, but {b} is what keeps them coming back every {season}.",
        "It takes about {n} hours to understand {a}, and a good deal longer to understand {b}.",
        "In {season}, {a} needs more attention than {b}, which is why we begin early in the morning.",
        "{A} is not as simple as it looks: without {b} nothing else would hold together.",
        "We measured {a} {n} times last {season} and compared the result with {b}.",
        "Nobody remembers who first brought {b} here, although {a} appears in a letter from {year}.",
        "If you want to see {a} at its best, come in late {season} and walk past {b}.",
        "The report of {year} says that {a} was repaired twice, and that {b} was left as it stood.",
        "Children learn about {a} at school, and on Saturdays they help to look after {b}.",
        "There is a quiet argument about {a}, because {b} costs more every {season}.",
        "{A} and {b} belong together in the way that questions and answers do.",
        "After {n} attempts we found that {b} mattered less than the patience spent on {a}.",
        "A neighbour told me that {a} once saved the whole street when {b} failed in {year}.",
        "You will need time, a notebook and some luck before {a} begins to make sense.",
    ),
    "pt": (
        "{A} já estava lá havia {n} anos quando alguém escreveu sobre {b}.",
        "Quando {a} mudou, {b} mudou também, e todos no vale perceberam em {n} dias.",
        "Muita gente pergunta sobre {a}, mas é por causa de {b} que as pessoas voltam a cada {season}.",
        "São necessárias umas {n} horas para entender {a}, e bem mais do que isso para entender {b}.",
        "Durante o {season}, {a} pede mais cuidado do que {b}, por isso começamos logo cedo.",
        "{A} não é tão simples quanto parece: sem {b}, nada mais ficaria de pé.",
        "Medimos {a} {n} vezes no último {season} e comparamos o resultado com {b}.",
        "Ninguém se lembra de quem trouxe {b} para cá, embora {a} apareça numa carta de {year}.",
        "Se você quiser ver {a} no melhor momento, venha no fim do {season} e passe por {b}.",
        "O relatório de {year} diz que {a} foi consertado duas vezes e que {b} ficou como estava.",
        "As crianças aprendem sobre {a} na escola e, aos sábados, ajudam a cuidar de {b}.",
        "Há uma discussão antiga sobre {a}, porque {b} custa mais caro a cada {season}.",
        "{A} e {b} combinam como perguntas e respostas.",
        "Depois de {n} tentativas, descobrimos que {b} importava menos do que a paciência com {a}.",
        "Um vizinho me contou que {a} salvou a rua inteira quando {b} falhou em {year}.",
        "É preciso tempo, um caderno e alguma sorte até que {a} comece a fazer sentido.",
    ),
}  # fmt: skip
_SEASONS = {"en": ("spring", "summer", "autumn", "winter"), "pt": ("outono", "verão", "inverno")}

OTHERS = {
    "es": "El mercado abre antes del amanecer y los vendedores colocan la fruta en silencio. A esa hora todavía hace frío, "
    "y el olor del café llega desde la esquina. Quien madruga encuentra los mejores tomates y se entera de todas las noticias del barrio.",
    "fr": "Le marché ouvre avant l'aube et les marchands disposent les fruits en silence. À cette heure il fait encore froid, "
    "et l'odeur du café vient du coin de la rue. Celui qui se lève tôt trouve les meilleures tomates et apprend toutes les nouvelles du quartier.",
    "de": "Der Markt öffnet vor Sonnenaufgang, und die Händler legen das Obst schweigend aus. Um diese Zeit ist es noch kalt, "
    "und der Geruch von Kaffee kommt von der Ecke herüber. Wer früh aufsteht, findet die besten Tomaten und hört alle Neuigkeiten des Viertels.",
    "it": "Il mercato apre prima dell'alba e i venditori dispongono la frutta in silenzio. A quell'ora fa ancora freddo, "
    "e il profumo del caffè arriva dall'angolo della strada. Chi si alza presto trova i pomodori migliori e sente tutte le notizie del quartiere.",
    "ru": "Рынок открывается до рассвета, и торговцы молча раскладывают фрукты. В этот час ещё холодно, и запах кофе доносится из-за угла. "
    "Кто рано встаёт, тот находит лучшие помидоры и узнаёт все новости района. К полудню прилавки пустеют, и площадь снова становится тихой.",
    "ja": "市場は夜明け前に開き、商人たちは黙って果物を並べます。その時間はまだ寒く、角の店からコーヒーの香りが漂ってきます。"
    "早起きの人はいちばん良いトマトを見つけ、町の新しい話を聞くことができます。昼になると店は片づけられ、広場はまた静かになります。"
    "雨の日でも市場は休みません。屋根の下で野菜と花が売られ、子どもたちは水たまりで遊びます。",
    "zh": "市场在天亮之前开门，商贩们安静地摆放水果。那个时候天气还很冷，街角飘来咖啡的香味。早起的人可以找到最好的西红柿，"
    "也能听到附近所有的新闻。到了中午，摊位慢慢收起来，广场又恢复了安静。下雨的日子市场也不关门，屋檐下仍然卖着蔬菜和鲜花，"
    "孩子们在水坑边玩耍。老人坐在门口下棋，谈论着从前的事情。",
    "el": "Η αγορά ανοίγει πριν από την αυγή και οι έμποροι τακτοποιούν τα φρούτα σιωπηλά. Εκείνη την ώρα κάνει ακόμα κρύο, "
    "και η μυρωδιά του καφέ έρχεται από τη γωνία. Όποιος ξυπνά νωρίς βρίσκει τις καλύτερες ντομάτες και μαθαίνει όλα τα νέα της γειτονιάς.",
}  # fmt: skip


def topics(language: str) -> list[str]:
    """The topics that the grammar knows.

    Args:
        language: ``en`` or ``pt``.

    Returns:
        Their names.
    """
    return list(_TOPICS[language])


def paragraph(rng: random.Random, language: str, topic: str, sentences: int) -> str:
    """One paragraph of invented prose.

    Args:
        rng: source of chance.
        language: ``en`` or ``pt``.
        topic: out of :func:`topics`.
        sentences: how many.

    Returns:
        The paragraph.
    """
    chosen = rng.sample(_SENTENCES[language], k=min(sentences, len(_SENTENCES[language])))
    return " ".join(_sentence(rng, language, topic, template) for template in chosen)


def _sentence(rng: random.Random, language: str, topic: str, template: str) -> str:
    a, b = rng.sample(_TOPICS[language][topic], k=2)
    return template.format(
        a=a,
        A=a[0].upper() + a[1:],
        b=b,
        n=rng.randint(2, 60),
        season=rng.choice(_SEASONS[language]),
        year=rng.randint(1884, 2019),
    )
