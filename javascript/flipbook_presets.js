// Presets: named settings, whole or in part, loaded into the open form and saved from it.

window.flipbook = window.flipbook || {};

Object.assign(window.flipbook, {
    presets: [],
    preset: {names: {}, part: "whole"}, // names: the one that is chosen, by kind

    async listPresets() {
        try {
            flipbook.presets = (await flipbook.ask("GET", "presets")).presets;
        } catch (failure) {
            if (!failure.problems) throw failure;
            flipbook.presets = [];
            flipbook.preset.said = failure.message;
        }
        flipbook.drawPresets();
    },

    // Name → the same name in a path.
    presetPath(name) {
        return `presets/${encodeURIComponent(name)}`;
    },

    presetName() {
        return flipbook.preset.names[flipbook.kind()] || "";
    },

    choosePreset(name, kind = flipbook.kind()) {
        flipbook.preset.names[kind] = name;
    },

    chosenPreset() {
        return flipbook.presets.find((preset) => preset.name === flipbook.presetName() && preset.kind === flipbook.kind());
    },

    drawPresets() {
        const panel = flipbook.element("presets_panel");
        if (!panel) return;
        const kind = flipbook.kind();
        const mine = flipbook.presets.filter((preset) => preset.kind === kind);
        if (!flipbook.chosenPreset()) flipbook.choosePreset(mine.length ? mine[0].name : "");
        const chosen = flipbook.chosenPreset();
        const choose = flipbook.make(
            "select",
            {class: "flipbook-input", id: flipbook.id("preset"), "aria-label": flipbook.word("preset"), on: {change: (event) => {
                flipbook.choosePreset(event.target.value);
                flipbook.drawPresets();
            }}},
            ...mine.map((preset) => flipbook.make("option", {value: preset.name, selected: preset.name === flipbook.presetName()}, preset.name)),
        );
        const part = flipbook.make(
            "select",
            {class: "flipbook-input flipbook-narrow", id: flipbook.id("preset_part"), "aria-label": flipbook.word("part"), on: {change: (event) => {
                flipbook.preset.part = event.target.value;
            }}},
            ...["whole", "motion", "prompts", "output"].map((name) => flipbook.make("option", {value: name, selected: name === flipbook.preset.part}, flipbook.word(name))),
        );
        const name = flipbook.make("input", {class: "flipbook-input", id: flipbook.id("preset_name"), placeholder: flipbook.word("name"), "aria-label": flipbook.word("name"), value: flipbook.preset.typed || "", on: {input: (event) => {
            flipbook.preset.typed = event.target.value;
        }}});
        const file = flipbook.make("input", {type: "file", accept: ".json,.txt", class: "flipbook-hidden", id: flipbook.id("preset_file"), tabindex: "-1", on: {change: () => flipbook.importPreset(file.files[0])}});
        const own = Boolean(chosen && !chosen.shipped);
        const act = (word, action, possible = true) => flipbook.button(word, action, {id: flipbook.id(`preset_${word}`), disabled: !possible});
        panel.replaceChildren(
            flipbook.make("div", {class: "flipbook-presets"}, choose, part, act("load", () => flipbook.loadPreset(), Boolean(chosen))),
            flipbook.make("div", {class: "flipbook-said flipbook-about"}, (chosen && chosen.about) || ""),
            flipbook.make("div", {class: "flipbook-presets"}, name, act("save", () => flipbook.savePreset()), act("rename", () => flipbook.renamePreset(), own)),
            flipbook.make("div", {class: "flipbook-presets"}, act("delete", () => flipbook.deletePreset(), own), act("export", () => flipbook.exportPreset(), Boolean(chosen)), act("import", () => file.click()), file),
            flipbook.make("div", {class: "flipbook-problem", role: "alert"}, flipbook.preset.wrong || ""),
            flipbook.make("div", {class: "flipbook-said", role: "status"}, flipbook.preset.said || ""),
        );
    },

    parts() {
        return flipbook.preset.part === "whole" ? [] : [flipbook.preset.part];
    },

    // Does something with presets, lists them again, and reports the result.
    async withPresets(said, action) {
        flipbook.preset.wrong = flipbook.preset.said = "";
        try {
            await action();
            flipbook.preset.said = said;
        } catch (failure) {
            flipbook.preset.wrong = failure.message;
        }
        await flipbook.listPresets();
    },

    loadPreset() {
        const kind = flipbook.kind();
        return flipbook.withPresets(flipbook.word("loaded"), async () => {
            const parts = flipbook.parts().join(",");
            const {settings} = await flipbook.ask("GET", `${flipbook.presetPath(flipbook.presetName())}?parts=${parts}`);
            flipbook.fill(kind, parts ? {part: settings} : {settings});
        });
    },

    savePreset() {
        const kind = flipbook.kind();
        const name = (flipbook.preset.typed || flipbook.presetName()).trim();
        return flipbook.withPresets(flipbook.word("saved"), async () => {
            await flipbook.ask("PUT", flipbook.presetPath(name), {kind, settings: flipbook.settings(kind), parts: flipbook.parts()});
            flipbook.choosePreset(name, kind);
            flipbook.preset.typed = "";
        });
    },

    renamePreset() {
        return flipbook.withPresets(flipbook.word("saved"), async () => {
            const to = (flipbook.preset.typed || "").trim();
            await flipbook.ask("POST", `${flipbook.presetPath(flipbook.presetName())}/rename`, {to});
            flipbook.choosePreset(to);
            flipbook.preset.typed = "";
        });
    },

    deletePreset() {
        return flipbook.withPresets(flipbook.word("deleted"), () => flipbook.ask("DELETE", flipbook.presetPath(flipbook.presetName())));
    },

    async exportPreset() {
        const link = flipbook.make("a", {href: flipbook.url(`${flipbook.presetPath(flipbook.presetName())}/export`), download: `${flipbook.presetName()}.json`});
        document.body.append(link);
        link.click();
        link.remove();
    },

    importPreset(file) {
        if (!file) return undefined;
        return flipbook.withPresets(flipbook.word("imported"), async () => {
            let found = JSON.parse(await file.text());
            let name = file.name.replace(/\.\w+$/, "");
            if (found.kind && found.settings) {
                name = found.name || name;
                delete found.shipped;
            } else {
                // Somebody's settings file, Flipbook's or Deforum's: a preset named like the file.
                const {kind, settings} = await flipbook.ask("POST", "settings", {kind: found.kind || "keyframed", settings: found});
                found = {kind, settings};
            }
            await flipbook.ask("PUT", flipbook.presetPath(name), found);
            await flipbook.listPresets();
            flipbook.choosePreset(name, found.kind);
            flipbook.openKind(found.kind);
        });
    },
});

(window.flipbook.starts = window.flipbook.starts || []).push(() => flipbook.listPresets());

if (window.flipbook.start) window.flipbook.start();
