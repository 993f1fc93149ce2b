// Between the Animation tab and the WebUI's own tabs: a result to the init image, a frame to img2img.

window.flipbook = window.flipbook || {};

Object.assign(window.flipbook, {
    // Where the WebUI shows pictures: buttons go into the first, the picture comes from the second.
    RESULTS: [
        ["#image_buttons_txt2img", "#txt2img_gallery"],
        ["#image_buttons_img2img", "#img2img_gallery"],
        ["#tab_pnginfo div:has(> #txt2img_tab)", "#pnginfo_image"],
    ],

    // Called after every change of the page; does nothing twice.
    decorateHost() {
        for (const [place, from] of flipbook.RESULTS) {
            const buttons = document.querySelector(place);
            if (!buttons || buttons.querySelector(".flipbook-send")) continue;
            const tools = place.startsWith("#image_buttons");
            buttons.append(
                flipbook.make(
                    "button",
                    {
                        type: "button",
                        class: `lg secondary gradio-button flipbook-send${tools ? " tool" : ""}`,
                        title: flipbook.word("to animation"),
                        "aria-label": flipbook.word("to animation"),
                        on: {click: () => flipbook.sendHere(from)},
                    },
                    tools ? "🎞️" : flipbook.word("send to animation"),
                ),
            );
        }
    },

    // The picture that is open in a gallery, else its first.
    pictureIn(selector) {
        const place = document.querySelector(selector);
        return place && (place.querySelector("button.selected img, .preview img") || place.querySelector("img"));
    },

    async sendHere(from) {
        const picture = flipbook.pictureIn(from);
        if (!picture) return;
        const takes = (kind) => flipbook.data.kinds[kind].picture_input;
        const kind = takes(flipbook.kind()) ? flipbook.kind() : Object.keys(flipbook.data.kinds).find(takes);
        const name = takes(kind);
        flipbook.openAnimation();
        try {
            const file = await (await fetch(picture.src)).blob();
            flipbook.fill(kind, {shown: {[name]: await flipbook.upload(file)}});
            flipbook.openKind(kind);
            // Of some kinds it stands in a group that starts closed.
            setTimeout(() => flipbook.reveal(kind, name), 100);
        } catch (failure) {
            flipbook.forms[kind].problems[name] = failure.message;
            flipbook.showProblems(kind);
        }
    },

    openAnimation() {
        const panel = flipbook.root.closest("[id^=tab_]");
        const tabs = document.querySelectorAll("#tabs > .tab-nav > button");
        const panels = [...document.querySelectorAll("#tabs > [id^=tab_]")];
        const number = panels.indexOf(panel);
        if (number >= 0 && tabs[number]) tabs[number].click();
    },

    // The frame at which the player stands, else the latest.
    frameShown(job) {
        const video = flipbook.element("stage").querySelector("video");
        if (!video || !video.duration) return -1;
        return Math.min(job.frames_done - 1, Math.round((video.currentTime / video.duration) * job.frames_done));
    },

    async sendFrame(job) {
        const answer = await fetch(flipbook.url(`jobs/${job.id}/frames/${flipbook.frameShown(job)}`));
        const transfer = new DataTransfer();
        transfer.items.add(new File([await answer.blob()], "frame.png", {type: "image/png"}));
        window.switch_to_img2img();
        const place = document.getElementById("img2img_image");
        const clear = place.querySelector("button[aria-label='Clear'], button[aria-label='Remove Image']");
        if (clear) clear.click();
        // The host redraws the empty box once its picture is gone.
        for (let tries = 0; tries < 50 && !place.querySelector("input[type=file]"); tries += 1) {
            await new Promise((later) => requestAnimationFrame(later));
        }
        const input = place.querySelector("input[type=file]");
        input.files = transfer.files;
        input.dispatchEvent(new Event("change", {bubbles: true}));
    },
});

if (window.flipbook.start) window.flipbook.start();
