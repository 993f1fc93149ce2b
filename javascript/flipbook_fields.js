// What stands in and under the controls: tooltips, sentences where something is wrong, dropped files.

window.flipbook = window.flipbook || {};

Object.assign(window.flipbook, {
    LARGEST_SETTINGS: 64 * 2 ** 20, // bytes

    field(kind, name) {
        return flipbook.element(`${kind}_${name}`);
    },

    // Adds what Gradio's controls do not have. Called after every change of the page; does nothing twice.
    decorate() {
        for (const [kind, facts] of Object.entries(flipbook.data.kinds)) {
            for (const [name, field] of Object.entries(facts.fields)) {
                const control = flipbook.field(kind, name);
                if (!control || control.querySelector(":scope > .flipbook-under")) continue;
                control.title = flipbook.translated(field.title);
                control.classList.add("flipbook-field");
                const under = flipbook.make("div", {class: "flipbook-under"});
                if (field.curve) under.append(flipbook.make("canvas", {class: "flipbook-curve", role: "img"}), flipbook.make("div", {class: "flipbook-reading"}));
                if (field.prompts) under.append(flipbook.make("div", {class: "flipbook-strip"}));
                if (field.prompts) control.addEventListener("paste", (event) => flipbook.pasted(kind, event));
                if (field.path) flipbook.decoratePath(kind, name, control, under);
                under.append(flipbook.make("div", {class: "flipbook-problem", id: `${control.id}_problem`, role: "alert"}));
                control.append(under);
                const input = control.querySelector("input:not([type=range]), textarea");
                if (input) input.setAttribute("aria-describedby", `${control.id}_problem`);
                flipbook.heard(kind, [name]);
                flipbook.showProblem(kind, name);
            }
        }
        flipbook.followTabs();
        flipbook.decorateHost();
        // Current Gradio draws what is in an accordion when that is opened.
        const presets = flipbook.element("presets_panel");
        if (presets && !presets.firstChild) flipbook.drawPresets();
    },

    under(kind, name, selector) {
        const control = flipbook.field(kind, name);
        return control && control.querySelector(`:scope > .flipbook-under ${selector}`);
    },

    showProblems(kind) {
        for (const name of Object.keys(flipbook.data.kinds[kind].fields)) flipbook.showProblem(kind, name);
        const form = flipbook.forms[kind];
        const notice = flipbook.element(`${kind}_notice`);
        if (!notice) return;
        const wrong = Object.entries({...form.problems, ...form.curveProblems}).filter(([, sentence]) => sentence);
        const lines = form.general.map((sentence) => flipbook.make("div", {class: "flipbook-problem"}, sentence));
        for (const [name] of wrong) {
            lines.push(flipbook.make("button", {type: "button", class: "flipbook-link", on: {click: () => flipbook.reveal(kind, name)}}, flipbook.translated(flipbook.data.kinds[kind].fields[name].label)));
        }
        for (const sentence of form.said || []) lines.push(flipbook.make("div", {class: "flipbook-warning"}, sentence));
        const estimate = !wrong.length && !form.general.length && form.estimate && flipbook.estimateLine(form.estimate);
        if (estimate) lines.push(estimate);
        notice.classList.toggle("flipbook-wrong", wrong.length > 0);
        notice.replaceChildren(...lines);
        flipbook.showMedia(kind);
    },

    showProblem(kind, name) {
        const form = flipbook.forms[kind];
        const sentence = form.curveProblems[name] || form.problems[name] || "";
        const place = flipbook.under(kind, name, ".flipbook-problem");
        if (!place) return;
        if (place.textContent !== sentence) place.textContent = sentence;
        flipbook.field(kind, name).classList.toggle("flipbook-wrong", sentence !== "");
    },

    // Null where there is nothing to say yet.
    estimateLine(estimate) {
        const parts = [];
        if (estimate.seconds !== null && estimate.seconds !== undefined) parts.push(flipbook.time(estimate.seconds));
        if (estimate.bytes) parts.push(`${flipbook.word("at most")} ${flipbook.size(estimate.bytes)}`);
        if (!parts.length) return null;
        return flipbook.make("div", {class: "flipbook-estimate"}, flipbook.make("span", {}, flipbook.word("estimate")), ` ${parts.join(", ")}`);
    },

    time(seconds) {
        const whole = Math.max(0, Math.round(seconds));
        const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
        const two = (number) => String(number).padStart(2, "0");
        return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
    },

    size(bytes) {
        for (const [unit, factor] of [["GB", 2 ** 30], ["MB", 2 ** 20]]) {
            if (bytes >= factor) return `${(bytes / factor).toFixed(bytes >= 10 * factor ? 0 : 1)} ${unit}`;
        }
        return `${Math.ceil(bytes / 1024)} kB`;
    },

    // Opens what hides a field, and puts the cursor there.
    reveal(kind, name) {
        const control = flipbook.field(kind, name);
        if (!control) return;
        for (const group of flipbook.element(kind).querySelectorAll(`[id^=${flipbook.id(`${kind}_group`)}]`)) {
            if (group.contains(control) && control.offsetParent === null) {
                const head = group.querySelector(".label-wrap");
                if (head) head.click();
            }
        }
        setTimeout(() => {
            control.scrollIntoView({block: "center"});
            const input = control.querySelector("textarea, input:not([type=range])");
            if (input) input.focus({preventScroll: true});
        }, 60);
    },

    revealProblem(kind) {
        const first = Object.keys(flipbook.forms[kind].problems)[0];
        if (first) flipbook.reveal(kind, first);
    },

    // A picture's parameters pasted among the prompts are read, not taken for a prompt.
    pasted(kind, event) {
        const text = event.clipboardData.getData("text");
        if (!/(^|\n)(Steps|Flipbook): /.test(text)) return;
        event.preventDefault();
        flipbook.fill(kind, {infotext: text});
    },

    // Pictures, films and folders.

    decoratePath(kind, name, control, under) {
        const chooser = flipbook.make("input", {type: "file", class: "flipbook-hidden", tabindex: "-1", on: {change: () => flipbook.uploadTo(kind, name, chooser.files[0])}});
        const choose = flipbook.button("choose", () => chooser.click(), {class: "flipbook-button flipbook-choose"});
        under.append(flipbook.make("div", {class: "flipbook-file"}, flipbook.make("div", {class: "flipbook-thumbnail"}), choose, chooser));
        control.addEventListener("dragover", (event) => {
            event.preventDefault();
            event.stopPropagation();
            control.classList.add("flipbook-over");
        });
        control.addEventListener("dragleave", () => control.classList.remove("flipbook-over"));
        control.addEventListener("drop", (event) => {
            event.preventDefault();
            event.stopPropagation();
            control.classList.remove("flipbook-over");
            if (event.dataTransfer.files[0]) flipbook.uploadTo(kind, name, event.dataTransfer.files[0]);
        });
    },

    async upload(file) {
        return (await flipbook.ask("POST", "uploads", file)).upload;
    },

    // What `fill` takes of a dropped file: a settings file is sent as it is, a film or picture as an upload.
    async settingsOf(file) {
        if (!/\.(json|txt)$/i.test(file.name) || file.size > flipbook.LARGEST_SETTINGS) return {source: await flipbook.upload(file)};
        const address = await new Promise((done, failed) => {
            const reader = new FileReader();
            reader.onload = () => done(reader.result);
            reader.onerror = () => failed(reader.error);
            reader.readAsDataURL(file);
        });
        return {file: {name: file.name, data: address.slice(address.indexOf(",") + 1)}};
    },

    async uploadTo(kind, name, file) {
        if (!file) return;
        try {
            flipbook.fill(kind, {shown: {[name]: await flipbook.upload(file)}});
        } catch (failure) {
            flipbook.forms[kind].problems[name] = failure.message;
            flipbook.showProblems(kind);
        }
    },

    showMedia(kind) {
        const form = flipbook.forms[kind];
        for (const [name, field] of Object.entries(flipbook.data.kinds[kind].fields)) {
            const place = field.path && flipbook.under(kind, name, ".flipbook-thumbnail");
            if (!place) continue;
            const media = (form.media || {})[name];
            if (place.dataset.shown === JSON.stringify(media || null)) continue;
            place.dataset.shown = JSON.stringify(media || null);
            place.replaceChildren(...(media ? [flipbook.make("img", {src: media.picture, alt: field.label}), flipbook.make("span", {}, media.facts)] : []));
        }
    },

    // Which kind is open: its buttons stand at the right. Gradio draws a tab when it is first opened, or before.
    followTabs() {
        const kinds = Object.keys(flipbook.data.kinds);
        const open = kinds.find((kind) => flipbook.element(kind) && flipbook.element(kind).offsetParent !== null);
        if (open) flipbook.open = open;
        for (const kind of kinds) {
            for (const part of ["actions", "looks"]) {
                const element = flipbook.element(`${kind}_${part}`);
                if (element) element.classList.toggle("flipbook-away", kind !== flipbook.kind());
            }
        }
        const scripts = flipbook.element("scripts");
        if (scripts) scripts.classList.toggle("flipbook-away", !flipbook.data.kinds[flipbook.kind()].fields.scripts);
        if (open && open !== flipbook.followed) {
            flipbook.followed = open;
            flipbook.drawPresets();
        }
    },
});

// A file dropped anywhere else on the tab restores its settings.
(window.flipbook.starts = window.flipbook.starts || []).push(() => {
    const root = flipbook.root;
    root.addEventListener("dragover", (event) => event.preventDefault());
    root.addEventListener("drop", async (event) => {
        const file = event.dataTransfer.files[0];
        if (!file) return;
        event.preventDefault();
        const kind = flipbook.kind();
        try {
            flipbook.fill(kind, await flipbook.settingsOf(file));
        } catch (failure) {
            flipbook.forms[kind].general = [failure.message];
            flipbook.showProblems(kind);
        }
    });
    // The WebUI's keys, for the kind that is open: its own script would take the first Generate of the tab.
    root.addEventListener(
        "keydown",
        (event) => {
            const name = event.key === "Enter" && (event.ctrlKey || event.metaKey) ? `${flipbook.kind()}_generate` : event.key === "Escape" ? "interrupt" : null;
            const button = name && flipbook.element(name);
            if (!button) return;
            event.preventDefault();
            event.stopPropagation();
            button.click();
        },
        true,
    );
    root.addEventListener("click", () => setTimeout(() => flipbook.followTabs(), 50));
});

if (window.flipbook.start) window.flipbook.start();
