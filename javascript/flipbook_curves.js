// Graphs under schedules, and the strip of prompts along the film.

window.flipbook = window.flipbook || {};

Object.assign(window.flipbook, {
    // Settings that every schedule of a kind may depend on.
    FILM: ["frames", "fps", "seed", "width", "height", "bpm", "cadence", "dialect"],
    PAUSE: 60, // ms after the last keystroke

    film(kind) {
        const shown = flipbook.forms[kind].shown;
        const film = {};
        for (const name of flipbook.FILM) {
            const value = shown[name];
            // 0 stands for the size or length of a video, which a graph does not know.
            const unknown = value === 0 && ["width", "height"].includes(name);
            if (value !== undefined && value !== null && value !== "" && !unknown) film[name] = value;
        }
        // 0 stands for all that a video gives, which the estimate has counted.
        const frames = Math.trunc(Number(film.frames) || 0) || flipbook.forms[kind].counted || 120;
        film.frames = Math.min(Math.max(1, frames), 20000);
        return film;
    },

    curvesOf(kind, names) {
        const form = flipbook.forms[kind];
        const fields = flipbook.data.kinds[kind].fields;
        const all = names.some((name) => flipbook.FILM.includes(name));
        form.wanted = form.wanted || new Set();
        for (const [name, field] of Object.entries(fields)) {
            if (field.curve && (all || names.includes(name)) && flipbook.under(kind, name, "canvas")) form.wanted.add(name);
        }
        if (form.wanted.size) flipbook.debounce(`curves ${kind}`, flipbook.PAUSE, () => flipbook.askCurves(kind));
        const prompts = Object.keys(fields).filter((name) => fields[name].prompts);
        if (prompts.some((name) => all || names.includes(name))) {
            flipbook.debounce(`prompts ${kind}`, flipbook.PAUSE, () => prompts.forEach((name) => flipbook.askPrompts(kind, name)));
        }
    },

    async askCurves(kind) {
        const form = flipbook.forms[kind];
        const schedules = {};
        for (const name of form.wanted) schedules[name] = form.shown[name];
        form.wanted = new Set();
        let answer;
        try {
            answer = await flipbook.ask("POST", "curves", {...flipbook.film(kind), kind, schedules});
        } catch (failure) {
            // The question itself is wrong (a frame rate of "abc"): that field says so, graphs wait.
            if (!failure.problems) throw failure;
            return;
        }
        for (const [name, text] of Object.entries(schedules)) {
            if (form.shown[name] !== text) continue;
            form.curveProblems[name] = answer.errors[name] || "";
            if (!answer.errors[name]) {
                delete form.problems[name];
                flipbook.drawCurve(kind, name, answer.curves[name]);
            } else {
                flipbook.drawCurve(kind, name, []);
            }
        }
        flipbook.showProblems(kind);
    },

    drawCurve(kind, name, values) {
        const canvas = flipbook.under(kind, name, "canvas");
        if (!canvas) return;
        canvas.values = values;
        const numbers = (values || []).filter((value) => typeof value === "number");
        canvas.classList.toggle("flipbook-empty", numbers.length === 0);
        flipbook.under(kind, name, ".flipbook-reading").textContent = flipbook.reading(kind, values, numbers);
        canvas.setAttribute("aria-label", flipbook.under(kind, name, ".flipbook-reading").textContent);
        flipbook.paintCurve(canvas);
        if (!canvas.observed) {
            canvas.observed = true;
            new ResizeObserver(() => flipbook.paintCurve(canvas)).observe(canvas);
            canvas.addEventListener("pointermove", (event) => {
                const count = (canvas.values || []).length;
                if (!count) return;
                const frame = Math.min(count - 1, Math.max(0, Math.round((event.offsetX / canvas.clientWidth) * (count - 1))));
                canvas.pointed = frame;
                flipbook.under(kind, name, ".flipbook-reading").textContent = `${flipbook.word("frame")} ${frame}: ${flipbook.number(canvas.values[frame])}`;
                flipbook.paintCurve(canvas);
            });
            canvas.addEventListener("pointerleave", () => {
                canvas.pointed = undefined;
                flipbook.drawCurve(kind, name, canvas.values);
            });
        }
    },

    reading(kind, values, numbers) {
        if (!numbers.length) return "";
        const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
        const unit = "";
        return low === high ? `${flipbook.number(low)}${unit}` : `${flipbook.number(low)} … ${flipbook.number(high)}${unit}`;
    },

    number(value) {
        return typeof value === "number" ? String(Number(value.toPrecision(5))) : String(value);
    },

    paintCurve(canvas) {
        const [width, height] = [canvas.clientWidth, canvas.clientHeight];
        if (!width || !height) return;
        const scale = window.devicePixelRatio || 1;
        canvas.width = Math.round(width * scale);
        canvas.height = Math.round(height * scale);
        const context = canvas.getContext("2d");
        context.scale(scale, scale);
        const values = (canvas.values || []).filter((value) => typeof value === "number");
        if (!values.length) return;
        const style = getComputedStyle(canvas);
        let low = Infinity;
        let high = -Infinity;
        for (const value of values) {
            low = Math.min(low, value);
            high = Math.max(high, value);
        }
        const flat = high - low < 1e-12 * Math.max(1, Math.abs(high));
        const x = (index) => (values.length > 1 ? (index / (values.length - 1)) * (width - 2) + 1 : width / 2);
        const y = (value) => (flat ? height / 2 : height - 4 - ((value - low) / (high - low)) * (height - 8));
        context.strokeStyle = style.borderColor;
        context.lineWidth = 1;
        if (low < 0 && high > 0) {
            context.setLineDash([3, 3]);
            context.beginPath();
            context.moveTo(0, y(0));
            context.lineTo(width, y(0));
            context.stroke();
            context.setLineDash([]);
        }
        context.strokeStyle = style.color;
        context.lineWidth = 1.5;
        context.beginPath();
        if (values.length === 1) context.moveTo(0, y(values[0]));
        values.forEach((value, index) => (index ? context.lineTo(x(index), y(value)) : context.moveTo(x(index), y(value))));
        if (values.length === 1) context.lineTo(width, y(values[0]));
        context.stroke();
        if (canvas.pointed !== undefined && canvas.pointed < values.length) {
            context.fillStyle = style.color;
            context.beginPath();
            context.arc(x(canvas.pointed), y(values[canvas.pointed]), 3, 0, 7);
            context.fill();
        }
    },

    async askPrompts(kind, name) {
        const form = flipbook.forms[kind];
        const text = form.shown[name] || "";
        let prompts = text;
        if (String(text).trim().startsWith("{")) {
            try {
                prompts = JSON.parse(text);
            } catch (error) {
                prompts = text;
            }
        }
        const film = flipbook.film(kind);
        try {
            const answer = await flipbook.ask("POST", "prompts", {...film, prompts});
            if (form.shown[name] !== text && (form.shown[name] || "") !== text) return;
            form.curveProblems[name] = "";
            flipbook.drawStrip(kind, name, answer.spans, film);
        } catch (failure) {
            if (!failure.problems) throw failure;
            const own = failure.problems.filter((problem) => !flipbook.FILM.includes(problem.field));
            form.curveProblems[name] = own.map((problem) => problem.message).join(" ");
        }
        flipbook.showProblems(kind);
    },

    drawStrip(kind, name, spans, film) {
        const strip = flipbook.under(kind, name, ".flipbook-strip");
        if (!strip) return;
        const rate = Number(String(film.fps || 15).split("/")[0]) / Number(String(film.fps || 15).split("/")[1] || 1);
        const texts = [...new Set(spans.map((span) => span.positive))];
        strip.hidden = spans.length < 2;
        strip.replaceChildren(
            ...spans.map((span) => {
                const frames = span.last - span.first + 1;
                const part = flipbook.make(
                    "div",
                    {
                        class: "flipbook-span",
                        title: `${span.first}–${span.last} (${(span.first / rate).toFixed(1)} s): ${span.positive}${span.negative ? ` --neg ${span.negative}` : ""}`,
                        style: `flex-grow: ${frames}; --flipbook-hue: ${(texts.indexOf(span.positive) * 67 + 210) % 360}`,
                    },
                    flipbook.make("b", {}, String(span.first)),
                    ` ${span.positive}`,
                );
                return part;
            }),
        );
    },
});

(window.flipbook.starts = window.flipbook.starts || []).unshift(() => flipbook.listen((kind, names) => flipbook.curvesOf(kind, names)));

if (window.flipbook.start) window.flipbook.start();
