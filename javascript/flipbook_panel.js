// What the controls of the host's scripts show: kept by the server, and shown again after a reload of the page.

window.flipbook = window.flipbook || {};

Object.assign(window.flipbook, {
    PANEL_PASSES: 5,

    // kept: what is to be shown again, until somebody touches the panel; null before that is known.
    panel: {shown: {}, kept: null, passes: 0, touched: false},

    // Called by every control's change event, with its value as the page holds it.
    panelChanged(name, value) {
        flipbook.panel.shown[name] = value;
        if (flipbook.panel.touched) {
            flipbook.debounce("panel keep", 400, () => flipbook.press("panel_keep"));
        } else if (flipbook.panel.kept) {
            flipbook.panelAgain();
        }
    },

    // A delayed press may come when the page is being taken down, as "Reload UI" does.
    press(name) {
        const button = flipbook.element(name);
        if (button) button.click();
    },

    panelText() {
        return JSON.stringify(flipbook.panel.shown);
    },

    panelSaid(sentence) {
        flipbook.element("panel_said").textContent = sentence;
    },

    // Called with what is kept, as JSON.
    panelKept(text) {
        if (flipbook.panel.kept) return;
        flipbook.panel.kept = JSON.parse(text);
        if (!flipbook.panel.touched && Object.keys(flipbook.panel.kept).length) flipbook.press("panel_set");
    },

    // A value for each control, or a change of nothing. Scripts answer changes of one control by setting others
    // back, so what they have set back is set again.
    panelValues() {
        const {kept} = flipbook.panel;
        flipbook.panelAgain();
        return Object.keys(flipbook.data.panel).map((name) => (name in kept && flipbook.panelDiffers(name) ? kept[name] : {__type__: "update"}));
    },

    panelDiffers(name) {
        const {shown, kept} = flipbook.panel;
        return !(name in shown) || JSON.stringify(shown[name]) !== JSON.stringify(kept[name]);
    },

    panelAgain() {
        flipbook.debounce("panel again", 600, () => {
            const {shown, kept, touched} = flipbook.panel;
            if (touched) return;
            for (const [name, id] of Object.entries(flipbook.data.panel)) {
                if (name in kept) flipbook.letGo(document.getElementById(id));
            }
            const back = Object.keys(kept).some((name) => name in shown && name in flipbook.data.panel && flipbook.panelDiffers(name));
            if (back && flipbook.panel.passes++ < flipbook.PANEL_PASSES) flipbook.press("panel_set");
        });
    },

    // Scripts may hear of a slider only when it is let go, which neither a typed number nor one shown again does.
    letGo(control) {
        const slider = control && control.querySelector("input[type=range]");
        if (slider) slider.dispatchEvent(new PointerEvent("pointerup", {bubbles: true}));
    },

    // Gradio hears clicks only some time after it has drawn a button.
    panelFirst() {
        if (flipbook.panel.kept) return;
        const show = flipbook.element("panel_show");
        if (show) show.click();
        setTimeout(() => flipbook.panelFirst(), 2000);
    },
});

(window.flipbook.starts = window.flipbook.starts || []).push(() => {
    const place = flipbook.element("scripts");
    if (!place) return;
    const touch = (event) => {
        // Opening something to look at it sets nothing, but for accordions that are a switch.
        const head = event.target.closest(".label-wrap, .tab-nav");
        const looks = head && !head.parentElement.classList.contains("input-accordion");
        if (event.isTrusted && !looks) flipbook.panel.touched = true;
    };
    for (const event of ["pointerdown", "keydown", "drop", "paste"]) place.addEventListener(event, touch, true);
    place.addEventListener("input", (event) => {
        const control = event.target.type === "number" && event.target.closest("[id]:has(input[type=range])");
        if (control) flipbook.debounce(`let go ${control.id}`, 200, () => flipbook.letGo(control));
    });
    flipbook.panelFirst();
});

if (window.flipbook.start) window.flipbook.start();
