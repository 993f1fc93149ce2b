// The page's side of Flipbook's desk: what the forms hold, what the server says, and who hears of it.
// All of Flipbook's scripts share the object `flipbook`; none of them depends on the order of loading.

window.flipbook = window.flipbook || {};

Object.assign(window.flipbook, {
    data: null, // words, kinds and fields, from the page
    forms: {}, // kind → {shown: {name: value}, problems, curveProblems, keeping, dirty}
    requests: {}, // what the next hidden click of a kind asks for
    starts: window.flipbook.starts || [], // called once the tab is drawn
    scripts: ["decorate", "curvesOf", "poll", "drawPresets", "sendHere", "panelFirst"], // one function of each other script: they come in any order

    id(name) {
        return `${flipbook.data.place}_${name}`;
    },

    element(name) {
        return document.getElementById(flipbook.id(name));
    },

    // A text in the page's language. The WebUI translates what it sees being drawn, which tooltips are not.
    translated(text) {
        return (window.localization && window.localization[text]) || text;
    },

    word(name) {
        return flipbook.translated(flipbook.data.words[name] || name);
    },

    make(tag, attributes = {}, ...children) {
        const element = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) {
            if (name === "on") {
                for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
            } else if (value !== false && value !== null && value !== undefined) {
                element.setAttribute(name, value === true ? "" : value);
            }
        }
        element.append(...children.filter((child) => child !== null && child !== undefined));
        return element;
    },

    button(word, handler, attributes = {}) {
        return flipbook.make("button", {type: "button", class: "flipbook-button", ...attributes, on: {click: handler}}, flipbook.word(word));
    },

    url(path) {
        return new URL(`flipbook/v1/${path}`, document.baseURI).href;
    },

    // A request to the desk: its JSON or film, or an Error that carries `problems` as the server says them.
    async ask(method, path, body) {
        const options = {method, headers: {}};
        if (body instanceof Blob) {
            options.body = body;
        } else if (body !== undefined) {
            options.body = JSON.stringify(body);
            options.headers["Content-Type"] = "application/json";
        }
        const response = await fetch(flipbook.url(path), options);
        if (response.ok && (response.headers.get("content-type") || "").startsWith("video/")) return response.blob();
        const text = await response.text();
        let found = null;
        try {
            found = text ? JSON.parse(text) : null;
        } catch (error) {
            found = null;
        }
        if (response.ok) return found;
        const problems = (found && found.errors) || [{field: null, message: (found && found.detail) || `${response.status} ${response.statusText}`}];
        const failure = new Error(problems.map((problem) => problem.message).join("\n"));
        failure.problems = problems;
        failure.status = response.status;
        throw failure;
    },

    // The kind whose tab is open.
    kind() {
        return flipbook.open || Object.keys(flipbook.data.kinds)[0];
    },

    debounce(key, milliseconds, action) {
        flipbook.timers = flipbook.timers || {};
        clearTimeout(flipbook.timers[key]);
        flipbook.timers[key] = setTimeout(action, milliseconds);
    },

    // Called by every control's change event, with its present value.
    changed(kind, name, value) {
        const form = flipbook.forms[kind];
        if (!form || JSON.stringify(form.shown[name]) === JSON.stringify(value)) return;
        form.shown[name] = value;
        flipbook.heard(kind, [name]);
        flipbook.keepSoon(kind);
    },

    heard(kind, names) {
        for (const listener of flipbook.listeners || []) listener(kind, names);
    },

    listen(listener) {
        flipbook.listeners = flipbook.listeners || [];
        flipbook.listeners.push(listener);
    },

    keepSoon(kind) {
        flipbook.debounce(`keep ${kind}`, 250, () => flipbook.keep(kind));
    },

    // Only one such request is under way for a kind: a change in the meantime asks again afterwards.
    keep(kind) {
        const form = flipbook.forms[kind];
        if (form.keeping) {
            form.dirty = true;
            return;
        }
        form.keeping = true;
        form.dirty = false;
        // An answer that got lost must not keep later changes from being kept.
        flipbook.debounce(`kept ${kind}`, 20000, () => {
            form.keeping = false;
            flipbook.keep(kind);
        });
        flipbook.click(kind, "keep", {shown: form.shown, engine: form.engine || ""});
    },

    // Shows the kept draft, or `request`: {settings} of a whole film, {part} of them, {shown} for some
    // controls, {source} an upload that carries settings, {file} a settings file, {infotext} a picture's parameters. What it leaves out stays as it stands on the page.
    fill(kind, request = {}) {
        flipbook.click(kind, "fill", {...request, page: flipbook.forms[kind].shown});
    },

    // Gradio hears clicks only some time after it has drawn a button: clicks until one is heard, and then not again
    // for long, since a second answer would come over what has been typed meanwhile.
    fillFirst(kind) {
        const form = flipbook.forms[kind];
        if (form.filled) return;
        if (Date.now() - (form.heardFill || 0) > 20000) flipbook.fill(kind);
        setTimeout(() => flipbook.fillFirst(kind), 1000);
    },

    click(kind, what, request) {
        flipbook.requests[`${kind} ${what}`] = JSON.stringify(request);
        flipbook.element(`${kind}_${what}`).click();
    },

    // Called by the hidden buttons' events for what they send.
    asked(kind, what) {
        if (what === "fill") flipbook.forms[kind].heardFill = Date.now();
        return flipbook.requests[`${kind} ${what}`] || "{}";
    },

    // Called with the answer to a kind's Generate, keep or fill.
    answered(kind, text) {
        if (!text) return;
        const answer = JSON.parse(text);
        const form = flipbook.forms[kind];
        const known = flipbook.data.kinds[kind].fields;
        if (answer.about === "keep") {
            form.keeping = false;
            clearTimeout(flipbook.timers[`kept ${kind}`]);
            if (form.dirty) flipbook.keep(kind);
        }
        if (answer.about === "fill" && answer.shown) {
            form.shown = {...form.shown, ...answer.shown};
            form.filled = true;
            flipbook.heard(kind, Object.keys(answer.shown));
            flipbook.keep(kind);
        }
        if (answer.about === "fill" && answer.elsewhere) {
            flipbook.openKind(answer.elsewhere);
            flipbook.fill(answer.elsewhere, answer.request);
        }
        if (answer.about === "fill" && (answer.errors || answer.warnings)) form.said = answer.warnings || [];
        if (answer.about === "submit" && answer.ids) flipbook.submitted(answer.ids);
        form.problems = {};
        form.general = [];
        for (const problem of answer.errors || []) {
            const field = (problem.field || "").split(/[.[]/)[0];
            if (known[field]) {
                form.problems[field] = form.problems[field] ? `${form.problems[field]} ${problem.message}` : problem.message;
            } else {
                form.general.push(problem.message);
            }
        }
        if (answer.about === "keep") {
            form.estimate = answer.estimate || null;
            const counted = (form.estimate || {}).frames || form.counted;
            if (counted !== form.counted) {
                form.counted = counted;
                flipbook.curvesOf(kind, ["frames"]);
            }
            form.media = answer.media || {};
        }
        if (answer.about === "submit" && answer.errors) flipbook.revealProblem(kind);
        flipbook.showProblems(kind);
    },

    openKind(kind) {
        const number = Object.keys(flipbook.data.kinds).indexOf(kind);
        const tabs = flipbook.element("kinds").querySelectorAll(".tab-nav > button, .tab-container [role=tab], [role=tablist] > button");
        if (tabs[number]) tabs[number].click();
    },

    start() {
        const data = document.querySelector("textarea[id^=flipbook_][id$=_data]");
        const loaded = flipbook.scripts.every((part) => flipbook[part]);
        if (!data || flipbook.data || !loaded) return;
        const place = data.id.slice(0, -"_data".length);
        const root = document.getElementById(`${place}_root`);
        if (!root || !document.getElementById(`${place}_stage`)) return;
        const found = JSON.parse(data.value);
        if (!Object.keys(found.kinds).every((kind) => document.getElementById(`${place}_${kind}_fill`))) return;
        flipbook.data = found;
        flipbook.root = root;
        for (const [kind, facts] of Object.entries(flipbook.data.kinds)) {
            flipbook.forms[kind] = {shown: {...facts.defaults}, problems: {}, curveProblems: {}, general: []};
        }
        for (const start of flipbook.starts) start();
        for (const kind of Object.keys(flipbook.data.kinds)) flipbook.fillFirst(kind);
    },
});

// The page draws itself step by step, and Gradio draws parts of it when they are opened.
(() => {
    const drawn = new MutationObserver(() => {
        if (!flipbook.data) {
            flipbook.start();
        } else {
            flipbook.debounce("decorate", 30, () => flipbook.decorate());
        }
    });
    drawn.observe(document.documentElement, {childList: true, subtree: true});
    flipbook.starts.push(() => flipbook.decorate());
    flipbook.start();
})();
